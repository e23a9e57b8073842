#include "vrrp/virtual_router.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace ballast::vrrp {
namespace {

// When the old active router has heard a preemptor's first advert.
constexpr Duration kHandOverTime = std::chrono::milliseconds{5};

// Adverts of a planned restart's burst follow each other by this, or a quarter of the interval.
constexpr Duration kBurstGap = std::chrono::milliseconds{20};

}  // namespace

VirtualRouter::VirtualRouter(RouterSettings settings, const Terms& terms,
                             const IpAddress& own_address)
    : settings_(std::move(settings)),
      terms_(terms),
      own_address_(own_address),
      active_interval_(settings_.advert_interval),
      announced_interval_(settings_.advert_interval) {
  announcements_.set_refresh(terms.announce_refresh);
}

void VirtualRouter::start(TimePoint now, const std::string& reason, Actions& actions) {
  // What was heard before counts: an active router may have announced a longer interval.
  if (!rival_.is_alive(now)) {
    active_interval_ = settings_.advert_interval;
  }
  rival_.restart_delay();
  has_listened_ = false;
  set_lease(LeaseMode::kNone, now, actions);  // one that an earlier process left behind
  become(State::kBackup, now, reason, actions);
  arm_active_down(now);
  if (terms_.priority == kAddressOwner) {
    active_down_at_ = kNever;
    wants_active_ = true;
  }
}

void VirtualRouter::adopt(TimePoint now, Actions& actions) {
  become_active(now, "it was active before a restart, and its lease has not ended", actions);
  set_lease(LeaseMode::kFull, now + lease_duration(announced_interval_), actions);
  announcements_.resume(now);
  send_advert(now, actions);
}

void VirtualRouter::promote(TimePoint now, Actions& actions) {
  const bool preempts = rival_.is_alive(now) || terms_.priority == kAddressOwner;
  const std::string reason = reason_to_rise(now);
  become_active(now, reason, actions);
  lease_mode_ = preempts ? LeaseMode::kForward : LeaseMode::kFull;
  full_at_ = preempts ? now + kHandOverTime : kNever;
  send_advert(now, actions);
  announcements_.start(now, preempts ? AnnouncementSchedule::From::kAfterFirstAdvert
                                     : AnnouncementSchedule::From::kAtOnce);
  if (announcements_.take_due(now)) {
    act(actions, Announce{});
  }
}

void VirtualRouter::become_active(TimePoint now, const std::string& reason, Actions& actions) {
  wants_active_ = false;
  awaits_advert_ = false;
  has_listened_ = false;
  active_down_at_ = kNever;
  release_at_ = kNever;
  moving_until_ = {};
  announced_interval_ = settings_.advert_interval;
  announced_length_ = -1;
  ++statistics_.became_active;
  become(State::kActive, now, reason, actions);
}

void VirtualRouter::leave_active() {
  ++statistics_.left_active;
  next_advert_ = kNever;
  full_at_ = kNever;
  announced_length_ = -1;
  announcements_.stop();
  rival_.forget();
  active_interval_ = settings_.advert_interval;
}

void VirtualRouter::follow(TimePoint now, const std::string& reason, Actions& actions) {
  if (settings_.virtual_mac) {
    tell_winner(now, actions);
  }
  leave_active();
  set_lease(LeaseMode::kNone, now, actions);
  end_both_active("this router left", actions);
  become(State::kBackup, now, reason, actions);
  arm_active_down(now);
  if (!settings_.virtual_mac) {
    send_release(actions);  // it misleads no switch, and has a winner announce the addresses again
    return;
  }
  // The better router of the other member is most likely this one's too, and its advert on the way.
  // A release behind that would call the switches back to this mute node.
  release_at_ = now + kHandOverTime;
}

void VirtualRouter::move_away(TimePoint now, const std::string& reason, Actions& actions) {
  leave_active();
  arm_active_down(now);
  moving_until_ = active_down_at_;
  set_lease(LeaseMode::kForward, moving_until_, actions);
  send_release(actions);
  end_both_active("this router left", actions);
  become(State::kBackup, now, reason, actions);
}

void VirtualRouter::stop(TimePoint now, State to, const std::string& reason, Actions& actions) {
  if (state_ == to) {
    return;
  }
  if (lease_mode_ != LeaseMode::kNone) {
    set_lease(LeaseMode::kNone, now, actions);
  }
  if (state_ == State::kActive) {
    leave_active();
    send_release(actions);
    end_both_active("this router left", actions);
  }
  if (release_at_ != kNever) {
    send_release(actions);
  }
  wants_active_ = false;
  active_down_at_ = kNever;
  release_at_ = kNever;
  moving_until_ = {};
  become(to, now, reason, actions);
}

void VirtualRouter::lengthen(TimePoint now, Duration interval, Actions& actions) {
  if (state_ != State::kActive) {
    return;
  }
  announced_interval_ = interval > Duration{0} ? interval : settings_.advert_interval;
  announced_length_ = interval > Duration{0} ? 2 : -1;
  send_advert(now, actions);
}

bool VirtualRouter::wake(TimePoint now, Actions& actions) {
  if (state_ == State::kActive &&
      now - last_sent_ >
          freeze_threshold(settings_.version, terms_.priority, announced_interval_)) {
    const Duration away = now - last_sent_;
    leave_active();
    set_lease(LeaseMode::kNone, now, actions);
    end_both_active("this router was not running", actions);
    listen(now,
           fmt::format("was not running for {}: listens before it asserts itself",
                       to_text(std::chrono::duration_cast<std::chrono::milliseconds>(away))),
           actions);
    return true;
  }
  if (state_ == State::kBackup && !wants_active_ && !has_listened_ && active_down_at_ != kNever &&
      now - active_down_at_ > active_interval_ / 2) {
    listen(now, {}, actions);
    return true;
  }
  return false;
}

// Adverts may wait in the socket that this router has not seen yet.
void VirtualRouter::listen(TimePoint now, const std::string& reason, Actions& actions) {
  ++statistics_.freezes;
  has_listened_ = true;
  wants_active_ = false;
  awaits_advert_ = false;
  act(actions, DropBacklog{});
  if (state_ == State::kActive) {
    become(State::kBackup, now, reason, actions);
  } else {
    act(actions,
        Report{true, fmt::format("was not running for {} beyond its active-down timer: "
                                 "listens before it rises",
                                 to_text(std::chrono::duration_cast<std::chrono::milliseconds>(
                                     now - active_down_at_)))});
  }
  quiet_since_ = now;
  active_down_at_ = now + listening_time(active_interval_);
}

void VirtualRouter::become(State state, TimePoint now, const std::string& reason,
                           Actions& actions) {
  const State from = std::exchange(state_, state);
  act(actions, Transition{from, state, terms_.priority, reason, now});
}

void VirtualRouter::arm_active_down(TimePoint now) {
  quiet_since_ = now;
  wants_active_ = false;
  awaits_advert_ = false;
  active_down_at_ =
      now + active_down_interval(settings_.version, terms_.priority, active_interval_);
}

Duration VirtualRouter::skew() const {
  return skew_time(settings_.version, terms_.priority, active_interval_);
}

void VirtualRouter::set_lease(LeaseMode mode, TimePoint until, Actions& actions) {
  lease_mode_ = mode;
  lease_until_ = mode == LeaseMode::kNone ? TimePoint{} : until;
  act(actions, SetLease{mode, lease_until_});
}

void VirtualRouter::send_advert(TimePoint now, Actions& actions) {
  set_lease(lease_mode_, now + lease_duration(announced_interval_), actions);
  act(actions, SendAdvert{{settings_.version, settings_.key.id, terms_.priority,
                           announced_interval_, settings_.addresses}});
  ++statistics_.adverts_sent;
  last_sent_ = now;
  next_advert_ = now + (announced_length_ > 0 ? std::min(kBurstGap, settings_.advert_interval / 4)
                                              : announced_interval_);
}

void VirtualRouter::send_release(Actions& actions) {
  act(actions, SendAdvert{{settings_.version, settings_.key.id, kReleasing,
                           settings_.advert_interval, settings_.addresses}});
  ++statistics_.adverts_sent;
  ++statistics_.priority_zero_sent;
}

RouterStatistics VirtualRouter::statistics() const {
  RouterStatistics result = statistics_;
  result.both_active = both_active_.count();
  return result;
}

std::string VirtualRouter::name() const {
  return fmt::format("{}/IPv{}", index(settings_.key.id), index(settings_.key.family));
}

void VirtualRouter::set_terms(TimePoint now, const Terms& terms) {
  const bool has_new_priority = terms.priority != terms_.priority;
  if (terms.announce_refresh != terms_.announce_refresh) {
    announcements_.set_refresh(terms.announce_refresh);
  }
  terms_ = terms;
  if (!has_new_priority) {
    return;
  }
  if (state_ == State::kActive) {
    // The others are to know now, but not at any rate that a flapping check dictates.
    next_advert_ = std::min(next_advert_, std::max(now, last_sent_ + announced_interval_ / 4));
  } else {
    rearm_active_down(now);
  }
}

// The timer's length has changed, not its start.
void VirtualRouter::rearm_active_down(TimePoint now) {
  const bool is_ordinary =
      !has_listened_ && !awaits_advert_ && !rival_.has_released() && !is_moving(now);
  if (state_ == State::kBackup && !wants_active_ && is_ordinary) {
    active_down_at_ = std::max(
        now,
        quiet_since_ + active_down_interval(settings_.version, terms_.priority, active_interval_));
  }
}

void VirtualRouter::set_settings(TimePoint now, RouterSettings settings) {
  const bool has_new_addresses = settings.addresses != settings_.addresses;
  const bool has_new_interval = settings.advert_interval != settings_.advert_interval;
  settings_ = std::move(settings);
  if (state_ == State::kActive) {
    if (has_new_interval && announced_length_ < 0) {
      announced_interval_ = settings_.advert_interval;
      next_advert_ = std::max(now, std::min(next_advert_, last_sent_ + announced_interval_));
    }
    if (has_new_addresses) {
      announcements_.start(now, AnnouncementSchedule::From::kAtOnce);
    }
    return;
  }
  // A backup of version 3 goes on with what it has learnt; version 2 uses its own.
  if (has_new_interval && (settings_.version == Version::kV2 || !rival_.is_alive(now))) {
    active_interval_ = settings_.advert_interval;
    rearm_active_down(now);
  }
}

TimePoint VirtualRouter::deadline() const {
  switch (state_) {
    case State::kBackup:
      return std::min(release_at_, wants_active_ ? kNever : active_down_at_);
    case State::kActive:
      return std::min({next_advert_, full_at_, announcements_.deadline(), both_active_.deadline()});
    default:
      return kNever;
  }
}

}  // namespace ballast::vrrp
