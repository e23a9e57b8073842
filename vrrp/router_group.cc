#include "vrrp/router_group.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace ballast::vrrp {
namespace {

const RouterKey& key_of(const VirtualRouter& router) {
  return router.settings().key;
}

Duration round_up_to_centiseconds(Duration duration) {
  constexpr Duration kCentisecond = std::chrono::milliseconds{10};
  return (duration + kCentisecond - Duration{1}) / kCentisecond * kCentisecond;
}

}  // namespace

RouterGroup::RouterGroup(GroupSettings settings, Condition condition, OwnAddresses addresses)
    : settings_(std::move(settings)),
      condition_(std::move(condition)),
      addresses_(std::move(addresses)) {
  for (size_t i = 0; i < settings_.routers.size(); ++i) {
    routers_.push_back(make_member(i));
  }
}

VirtualRouter RouterGroup::make_member(size_t member) const {
  const RouterSettings& settings = settings_.routers[member];
  const auto address = addresses_.find(settings.key);
  return {settings, terms_of(member), address == addresses_.end() ? IpAddress{} : address->second};
}

Priority RouterGroup::priority() const {
  if (settings_.priority == kAddressOwner) {
    return kAddressOwner;
  }
  return Priority{
      static_cast<uint8_t>(std::clamp(int{index(settings_.priority)} + condition_.priority_change,
                                      int{index(kLowestPriority)}, int{index(kHighestPriority)}))};
}

Terms RouterGroup::terms_of(size_t member) const {
  return {.priority = priority(),
          .preempt = settings_.preempt,
          .preempt_delay = settings_.preempt_delay,
          .announce_refresh = settings_.announce_refresh,
          .is_held = is_held_,
          .decides_ties = member == 0};
}

void RouterGroup::update_terms(TimePoint now) {
  for (size_t i = 0; i < routers_.size(); ++i) {
    routers_[i].set_terms(now, terms_of(i));
  }
}

std::string RouterGroup::fault_text() const {
  std::string text;
  const auto add = [&text](const std::string& fault) {
    text += (text.empty() ? "" : "; ") + fault;
  };
  for (const std::string& fault : condition_.faults) {
    add(fault);
  }
  for (const VirtualRouter& router : routers_) {
    if (!addresses_.contains(key_of(router))) {
      const bool is_v4 = key_of(router).family == Family::kIpv4;
      add(fmt::format("the interface has no {} to send the adverts of {} from",
                      is_v4 ? "IPv4 address" : "link-local address", router.name()));
    }
  }
  return text;
}

void RouterGroup::set_own_addresses(TimePoint now, OwnAddresses addresses, Actions& actions) {
  addresses_ = std::move(addresses);
  for (VirtualRouter& router : routers_) {
    if (const auto found = addresses_.find(key_of(router)); found != addresses_.end()) {
      router.set_own_address(found->second);
    }
  }
  apply_faults(now, actions);
}

void RouterGroup::start(TimePoint now, Actions& actions) {
  is_running_ = true;
  apply_faults(now, actions);
}

void RouterGroup::adopt(TimePoint now, Actions& actions) {
  const size_t first_action = actions.size();
  is_running_ = true;
  if (fault_text().empty()) {
    for (VirtualRouter& router : routers_) {
      router.adopt(now, actions);
    }
    note_change(actions, first_action);
  }
  apply_faults(now, actions);
}

void RouterGroup::stop(TimePoint now, const std::string& reason, Actions& actions) {
  const size_t first_action = actions.size();
  is_running_ = false;
  is_held_ = false;
  is_preparing_restart_ = false;
  for (VirtualRouter& router : routers_) {
    router.stop(now, State::kInitialize, reason, actions);
  }
  note_change(actions, first_action);
}

void RouterGroup::abandon() {
  is_running_ = false;
  is_preparing_restart_ = false;
  for (size_t i = 0; i < routers_.size(); ++i) {
    routers_[i] = make_member(i);
  }
}

// Takes every member where faults, or their absence, want it.
void RouterGroup::apply_faults(TimePoint now, Actions& actions) {
  if (!is_running_) {
    return;
  }
  const size_t first_action = actions.size();
  const std::string fault = fault_text();
  for (VirtualRouter& router : routers_) {
    if (!fault.empty()) {
      router.stop(now, State::kFault, fault, actions);
    } else if (router.state() == State::kInitialize) {
      router.start(now, "started", actions);
    } else if (router.state() == State::kFault) {
      router.start(now, "no fault any more", actions);
    }
  }
  promote_together(now, actions);
  finish_restart(now, actions);
  note_change(actions, first_action);
}

void RouterGroup::set_condition(TimePoint now, Condition condition, Actions& actions) {
  if (condition == condition_) {
    return;
  }
  wake(now, actions);
  condition_ = std::move(condition);
  update_terms(now);
  apply_faults(now, actions);
}

void RouterGroup::set_settings(TimePoint now, GroupSettings settings, OwnAddresses addresses,
                               Actions& actions) {
  wake(now, actions);
  const size_t first_action = actions.size();
  settings_ = std::move(settings);
  addresses_ = std::move(addresses);
  std::vector<VirtualRouter> members;
  for (size_t i = 0; i < settings_.routers.size(); ++i) {
    const RouterSettings& wanted = settings_.routers[i];
    const auto found = std::ranges::find_if(routers_, [&wanted](const VirtualRouter& router) {
      return key_of(router) == wanted.key && router.settings().version == wanted.version;
    });
    if (found == routers_.end()) {
      members.push_back(make_member(i));
      continue;
    }
    found->set_settings(now, wanted);
    members.push_back(std::move(*found));
    routers_.erase(found);
  }
  note_change(actions, first_action);
  for (VirtualRouter& gone : routers_) {
    gone.stop(now, State::kInitialize, "no longer configured", actions);
  }
  routers_ = std::move(members);
  update_terms(now);
  set_own_addresses(now, addresses_, actions);
}

bool RouterGroup::move_away(TimePoint now, Actions& actions) {
  const size_t first_action = actions.size();
  if (wake(now, actions) || state() != State::kActive) {
    return false;
  }
  is_held_ = true;
  is_preparing_restart_ = false;
  update_terms(now);
  for (VirtualRouter& router : routers_) {
    router.move_away(now, "planned failover", actions);
  }
  note_change(actions, first_action);
  return true;
}

void RouterGroup::release(TimePoint now, Actions& actions) {
  is_held_ = false;
  update_terms(now);
  tick(now, actions);
}

void RouterGroup::prepare_restart(TimePoint now, Duration expected, Actions& actions) {
  if (wake(now, actions)) {
    return;
  }
  for (VirtualRouter& router : routers_) {
    const RouterSettings& settings = router.settings();
    const Duration own = settings.advert_interval;
    const Duration needed = round_up_to_centiseconds(expected * 5 / 12);
    const Duration longest =
        settings.version == Version::kV2 ? own : longest_believed_interval(own);
    router.lengthen(now, std::clamp(needed, own, std::max(own, longest)), actions);
  }
  is_preparing_restart_ = true;
  finish_restart(now, actions);
}

void RouterGroup::cancel_restart(TimePoint now, Actions& actions) {
  is_preparing_restart_ = false;
  for (VirtualRouter& router : routers_) {
    router.lengthen(now, Duration{0}, actions);
  }
}

void RouterGroup::finish_restart(TimePoint now, Actions& actions) {
  if (!is_preparing_restart_ || is_moving(now)) {
    return;
  }
  TimePoint until = kNever;
  for (const VirtualRouter& router : routers_) {
    if (router.state() == State::kActive) {
      if (!router.has_announced_length()) {
        return;
      }
      until = std::min(until, router.lease_until());
    }
  }
  is_preparing_restart_ = false;
  actions.emplace_back(key_of(routers_.front()), RestartPrepared{until});
}

bool RouterGroup::is_moving(TimePoint now) const {
  return std::ranges::any_of(routers_,
                             [now](const VirtualRouter& router) { return router.is_moving(now); });
}

bool RouterGroup::wake(TimePoint now, Actions& actions) {
  const size_t first_action = actions.size();
  bool has_slept = false;
  const std::vector<State> before = states();
  for (VirtualRouter& router : routers_) {
    has_slept |= router.wake(now, actions);
  }
  if (has_slept) {
    is_preparing_restart_ = false;
    settle(now, before, actions);
  }
  note_change(actions, first_action);
  return has_slept;
}

void RouterGroup::tick(TimePoint now, Actions& actions) {
  if (wake(now, actions)) {
    return;
  }
  const size_t first_action = actions.size();
  for (VirtualRouter& router : routers_) {
    router.tick(now, actions);
  }
  promote_together(now, actions);
  finish_restart(now, actions);
  note_change(actions, first_action);
}

void RouterGroup::receive(TimePoint now, const RouterKey& router, const Advert& advert,
                          const IpAddress& source, Actions& actions) {
  if (wake(now, actions)) {
    return;
  }
  const size_t first_action = actions.size();
  const std::vector<State> before = states();
  for (VirtualRouter& member : routers_) {
    if (key_of(member) == router) {
      member.receive(now, advert, source, actions);
    }
  }
  settle(now, before, actions);
  promote_together(now, actions);
  finish_restart(now, actions);
  note_change(actions, first_action);
}

std::vector<State> RouterGroup::states() const {
  std::vector<State> result;
  result.reserve(routers_.size());
  for (const VirtualRouter& router : routers_) {
    result.push_back(router.state());
  }
  return result;
}

// When a member has left Active by itself, all others do.
void RouterGroup::settle(TimePoint now, const std::vector<State>& before, Actions& actions) {
  for (size_t i = 0; i < routers_.size(); ++i) {
    if (before[i] != State::kActive || routers_[i].state() == State::kActive) {
      continue;
    }
    for (VirtualRouter& other : routers_) {
      if (other.state() == State::kActive) {
        other.follow(
            now, fmt::format("{}, which moves with it, is not active any more", routers_[i].name()),
            actions);
      }
    }
  }
}

void RouterGroup::promote_together(TimePoint now, Actions& actions) {
  const bool all_agree = std::ranges::all_of(routers_, [](const VirtualRouter& router) {
    return router.wants_active() || router.state() == State::kActive;
  });
  if (!all_agree) {
    return;
  }
  bool has_risen = false;
  for (VirtualRouter& router : routers_) {
    if (router.wants_active()) {
      router.promote(now, actions);
      has_risen = true;
    }
  }
  if (has_risen && is_held_) {
    is_held_ = false;  // nobody else was there
    update_terms(now);
  }
}

void RouterGroup::note_change(const Actions& actions, size_t first_action) {
  for (size_t i = first_action; i < actions.size(); ++i) {
    if (const auto* change = std::get_if<Transition>(&actions[i].kind);
        change != nullptr && !change->reason.ends_with("is not active any more") &&
        !(last_change_.at == change->at && last_change_.to == change->to)) {
      last_change_ = {change->from, change->to, change->reason, change->at};
    }
  }
}

TimePoint RouterGroup::deadline() const {
  TimePoint earliest = kNever;
  for (const VirtualRouter& router : routers_) {
    earliest = std::min(earliest, router.deadline());
  }
  return earliest;
}

const VirtualRouter* RouterGroup::find(const RouterKey& router) const {
  const auto found = std::ranges::find_if(
      routers_, [&router](const VirtualRouter& member) { return key_of(member) == router; });
  return found == routers_.end() ? nullptr : &*found;
}

State RouterGroup::state() const {
  State least = State::kActive;
  for (const VirtualRouter& router : routers_) {
    least = std::min(least, router.state());
  }
  return routers_.empty() ? State::kInitialize : least;
}

}  // namespace ballast::vrrp
