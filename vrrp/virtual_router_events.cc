// What a virtual router does about timers and adverts; its states are in virtual_router.cc.
#include <algorithm>

#include <fmt/format.h>

#include "vrrp/virtual_router.h"

namespace ballast::vrrp {
namespace {

std::string in_milliseconds(Duration duration) {
  return to_text(std::chrono::duration_cast<std::chrono::milliseconds>(duration));
}

}  // namespace

void VirtualRouter::tick(TimePoint now, Actions& actions) {
  if (now >= release_at_) {
    release_at_ = kNever;
    send_release(actions);
  }
  if (state_ == State::kActive) {
    tick_active(now, actions);
  } else if (state_ == State::kBackup && now >= active_down_at_) {
    if (rival_.is_alive(now)) {
      awaits_advert_ = true;
      active_down_at_ = rival_.silent_at();
      return;
    }
    active_down_at_ = kNever;
    wants_active_ = true;
  }
}

void VirtualRouter::tick_active(TimePoint now, Actions& actions) {
  if (now >= next_advert_) {
    const TimePoint due = next_advert_;
    statistics_.largest_lateness = std::max(statistics_.largest_lateness, Duration{now - due});
    announced_length_ = announced_length_ > 0 ? announced_length_ - 1 : announced_length_;
    send_advert(now, actions);
    if (announced_length_ <= 0 && due + announced_interval_ > now) {
      next_advert_ = due + announced_interval_;  // a late advert does not delay the ones after it
    }
  }
  if (now >= full_at_) {
    full_at_ = kNever;
    set_lease(LeaseMode::kFull, lease_until_, actions);
  }
  if (announcements_.take_due(now)) {
    act(actions, Announce{});
  }
  if (now >= both_active_.deadline()) {
    end_both_active("the other one is silent", actions);
  }
}

void VirtualRouter::receive(TimePoint now, const Advert& advert, const IpAddress& source,
                            Actions& actions) {
  ++statistics_.adverts_received;
  statistics_.priority_zero_received += static_cast<uint64_t>(advert.priority == kReleasing);
  switch (state_) {
    case State::kInitialize:
    case State::kFault:
      // Only remembered, for when it takes part again.
      if (advert.priority == kReleasing) {
        rival_.released();
        break;
      }
      active_interval_ = settings_.version == Version::kV2
                             ? settings_.advert_interval
                             : believed_interval(advert.interval, settings_.advert_interval);
      rival_.is_respected(now, source, advert.priority, active_interval_, terms_);
      break;
    case State::kBackup:
      receive_in_backup(now, advert, source, actions);
      break;
    case State::kActive:
      receive_in_active(now, advert, source, actions);
      break;
  }
}

void VirtualRouter::receive_in_backup(TimePoint now, const Advert& advert, const IpAddress& source,
                                      Actions& actions) {
  if (advert.priority == kReleasing) {
    rival_.released();
    active_down_at_ = std::min(active_down_at_, now + skew());
    return;
  }
  release_at_ = kNever;
  if (is_moving(now)) {  // the new active router: what is still forwarded here is its now
    moving_until_ = {};
    set_lease(LeaseMode::kNone, now, actions);
  }
  const Duration interval = settings_.version == Version::kV2
                                ? settings_.advert_interval
                                : believed_interval(advert.interval, settings_.advert_interval);
  if (!rival_.is_respected(now, source, advert.priority, interval, terms_)) {
    // The timer runs on. If it has fired, this is the moment: the other one is there to hear that
    // it is deposed.
    wants_active_ |= awaits_advert_;
    return;
  }
  active_interval_ = interval;
  has_listened_ = false;
  arm_active_down(now);
}

bool VirtualRouter::is_undecided_tie(const Advert& advert, const IpAddress& source) const {
  return !terms_.decides_ties && advert.priority == terms_.priority && source > own_address_;
}

bool VirtualRouter::loses_to(TimePoint now, const Advert& advert, const IpAddress& source) const {
  if (advert.priority != terms_.priority) {
    return advert.priority > terms_.priority;
  }
  if (!(source > own_address_)) {
    return false;
  }
  // The first member of the group decides for all, as long as it can: addresses of another family
  // or interface may compare the other way.
  return terms_.decides_ties ||
         (both_active_.since() && now - *both_active_.since() > 3 * announced_interval_);
}

void VirtualRouter::receive_in_active(TimePoint now, const Advert& advert, const IpAddress& source,
                                      Actions& actions) {
  if (advert.priority == kReleasing) {
    announce_again(now);  // it may have been active as well
    answer(now, actions);
    return;
  }
  if (!loses_to(now, advert, source)) {
    note_rival(now, advert, source, actions);
    if (!is_undecided_tie(advert, source)) {
      answer(now, actions);
    }
    return;
  }
  const std::string reason =
      advert.priority > terms_.priority
          ? fmt::format("{} is active with priority {}, above {} here", source.to_string(),
                        index(advert.priority), index(terms_.priority))
          : fmt::format("{} is active with the same priority {} and the greater address",
                        source.to_string(), index(advert.priority));
  tell_winner(now, actions);
  leave_active();
  set_lease(LeaseMode::kNone, now, actions);
  end_both_active("this router yields", actions);
  become(State::kBackup, now, reason, actions);
  has_listened_ = false;
  receive_in_backup(now, advert, source, actions);
}

// The winner may not know that there were two, and only if it does will it announce the addresses
// again. Without a virtual MAC hosts have learnt this node's. With one, the winner's adverts set
// the switches right that they pass through, and no others: those on further interfaces, where
// servers have their gateway, would go on with this node. One more advert from here takes the
// former back until the winner has answered, at once; so not right after one that it may be
// answering already.
void VirtualRouter::tell_winner(TimePoint now, Actions& actions) {
  if (!settings_.virtual_mac || now - last_sent_ >= announced_interval_ / 4) {
    send_advert(now, actions);
  }
}

void VirtualRouter::note_rival(TimePoint now, const Advert& advert, const IpAddress& source,
                               Actions& actions) {
  if (full_at_ != kNever && now < full_at_) {
    return;  // sent before the rival could hear that it is preempted
  }
  if (both_active_.rival_heard(now, std::max(advert.interval, announced_interval_))) {
    act(actions, Report{true, fmt::format("two active routers: {} is active too, with priority {}; "
                                          "here it is {}",
                                          source.to_string(), index(advert.priority),
                                          index(terms_.priority))});
  }
  announce_again(now);
}

// Not while it is still preempting: the announcements of that are to come.
void VirtualRouter::announce_again(TimePoint now) {
  if (full_at_ == kNever || now >= full_at_) {
    announcements_.again(now);
  }
}

void VirtualRouter::end_both_active(const std::string& how, Actions& actions) {
  if (const auto length = both_active_.end()) {
    act(actions, Report{true, fmt::format("two routers were active for {}: {}",
                                          in_milliseconds(*length), how)});
  }
}

void VirtualRouter::answer(TimePoint now, Actions& actions) {
  if (now < next_answer_) {
    return;
  }
  next_answer_ = now + announced_interval_ / 4;
  send_advert(now, actions);
}

std::string VirtualRouter::reason_to_rise(TimePoint now) const {
  if (terms_.priority == kAddressOwner && !rival_.source()) {
    return "owner of the addresses (priority 255)";
  }
  if (!rival_.source()) {
    return fmt::format("no active router heard for {}", in_milliseconds(now - quiet_since_));
  }
  const std::string source = rival_.source()->to_string();
  if (rival_.has_released()) {
    return fmt::format("{} released the addresses (priority 0)", source);
  }
  if (!rival_.is_alive(now)) {
    return fmt::format("nothing heard from {} for {}", source,
                       in_milliseconds(now - rival_.heard_at()));
  }
  if (rival_.has_fallen()) {
    return fmt::format("the priority of {} fell from {} to {}, below {} here", source,
                       index(rival_.priority_before_fall()), index(rival_.priority()),
                       index(terms_.priority));
  }
  return fmt::format("preempts {}, whose priority {} is below {} here", source,
                     index(rival_.priority()), index(terms_.priority));
}

}  // namespace ballast::vrrp
