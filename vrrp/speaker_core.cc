#include "vrrp/speaker_core.h"

#include <algorithm>
#include <cstring>
#include <set>

#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>

namespace ballast::vrrp {
namespace {

constexpr int kRealTimePriority = 50;
constexpr Duration kSocketRetry = std::chrono::seconds{1};

// A thread that is started from this one does not inherit the priority.
std::string ask_for_real_time() {
  sched_param parameters{};
  parameters.sched_priority = kRealTimePriority;
  const int error =
      ::pthread_setschedparam(::pthread_self(), SCHED_FIFO | SCHED_RESET_ON_FORK, &parameters);
  return error == 0 ? fmt::format("SCHED_FIFO {}", kRealTimePriority)
                    : fmt::format(
                          "no real-time priority: {}: adverts may be late on a busy "
                          "machine (needs CAP_SYS_NICE)",
                          std::strerror(error));
}

}  // namespace

Speaker::Core::Core(LeaseHolder& lease_holder, SpeakerCallbacks callbacks)
    : lease_holder_(lease_holder),
      callbacks_(std::move(callbacks)),
      loop_(1),
      work_(loop_.get_executor()),
      timer_(loop_),
      thread_([this] {
        real_time_ = ask_for_real_time();
        loop_.run();
      }) {}

Speaker::Core::~Core() {
  post([this] {
    stop("shut down");
    groups_.clear();  // nothing is due any more, so that arm() leaves the timer alone
    timer_.cancel();
    wires_.clear();
    work_.reset();
  });
  thread_.join();
}

void Speaker::Core::set_interfaces(const std::vector<InterfaceFacts>& interfaces) {
  interfaces_.clear();
  for (const InterfaceFacts& facts : interfaces) {
    interfaces_[facts.interface] = facts;
  }
  open_wires();
  each([this](RouterGroup& group, TimePoint now, Actions& actions) {
    group.set_own_addresses(now, addresses_for(group.settings()), actions);
  });
}

OwnAddresses Speaker::Core::addresses_for(const GroupSettings& settings) const {
  OwnAddresses addresses;
  for (const RouterSettings& router : settings.routers) {
    const auto found = interfaces_.find(router.key.interface);
    if (found == interfaces_.end()) {
      continue;
    }
    const auto& address =
        router.key.family == Family::kIpv4 ? found->second.ipv4 : found->second.link_local;
    if (address && wires_.contains({router.key.interface, router.key.family})) {
      addresses[router.key] = *address;
    }
  }
  return addresses;
}

void Speaker::Core::set_groups(std::vector<SpeakerGroup> wanted) {
  std::set<std::string> names;
  for (const SpeakerGroup& group : wanted) {
    names.insert(group.settings.name);
  }
  for (auto it = groups_.begin(); it != groups_.end();) {
    if (names.contains(it->first)) {
      ++it;
      continue;
    }
    Actions actions;
    it->second.group.stop(clock_now(), "no longer configured", actions);
    carry_out(it->second, actions);
    it = groups_.erase(it);
  }
  owners_.clear();
  for (const SpeakerGroup& group : wanted) {
    for (const RouterSettings& router : group.settings.routers) {
      owners_[router.key] = group.settings.name;
    }
  }
  open_wires();
  for (SpeakerGroup& group : wanted) {
    const std::string name = group.settings.name;
    const OwnAddresses addresses = addresses_for(group.settings);
    forget_old_faults(name, group.settings);
    const bool is_known = one(name, [&](RouterGroup& running, TimePoint now, Actions& actions) {
      running.set_settings(now, group.settings, addresses, actions);
    });
    if (is_known) {
      continue;
    }
    groups_.emplace(name, Running{.group = RouterGroup(group.settings, group.condition, addresses),
                                  .told = group.condition,
                                  .send_fault = {},
                                  .records = {}});
    follow_faults();
    one(name, [&group](RouterGroup& running, TimePoint now, Actions& actions) {
      group.is_adopted ? running.adopt(now, actions) : running.start(now, actions);
    });
  }
  for (auto& [name, running] : groups_) {
    std::erase_if(running.records,
                  [this](const auto& item) { return !owners_.contains(item.first); });
  }
}

// Of routers that are about to be configured differently.
void Speaker::Core::forget_old_faults(const std::string& name, const GroupSettings& wanted) {
  const auto found = groups_.find(name);
  if (found == groups_.end()) {
    return;
  }
  for (const RouterSettings& router : wanted.routers) {
    const VirtualRouter* present = found->second.group.find(router.key);
    if (present != nullptr && present->settings() != router) {
      found->second.records[router.key].peers.forget_when();
    }
  }
}

Condition Speaker::Core::condition_of(const Running& running) const {
  Condition condition = running.told;
  for (const std::string& fault : {running.send_fault, lease_fault_}) {
    if (!fault.empty()) {
      condition.faults.insert(condition.faults.begin(), fault);
    }
  }
  return condition;
}

void Speaker::Core::set_condition(const std::string& name, const Condition& condition) {
  const auto found = groups_.find(name);
  if (found == groups_.end()) {
    return;
  }
  found->second.told = condition;
  one(name, [&](RouterGroup& running, TimePoint now, Actions& actions) {
    running.set_condition(now, condition_of(found->second), actions);
  });
}

// Before anything that could renew a lease.
void Speaker::Core::follow_faults() {
  const TimePoint now = clock_now();
  lease_fault_ = lease_holder_.fault(now);
  for (auto& [name, running] : groups_) {
    if (now >= running.send_fault_until) {
      running.send_fault.clear();  // to be tried again: nothing shows that it would go
    }
    Condition condition = condition_of(running);
    if (condition != running.group.condition()) {
      Actions actions;
      running.group.set_condition(now, std::move(condition), actions);
      carry_out(running, actions);
    }
  }
}

// What could not be opened, for want of descriptors or memory, may be opened later.
void Speaker::Core::retry_sockets() {
  const TimePoint now = clock_now();
  if (socket_errors_.empty() || now < next_socket_retry_) {
    return;
  }
  next_socket_retry_ = now + kSocketRetry;
  open_wires();
  each([this](RouterGroup& group, TimePoint when, Actions& actions) {
    group.set_own_addresses(when, addresses_for(group.settings()), actions);
  });
}

void Speaker::Core::carry_out(Running& running, const Actions& actions) {
  for (const Action& action : actions) {
    std::visit([&](const auto& kind) { act(running, action.router, kind); }, action.kind);
  }
}

void Speaker::Core::act(Running&, const RouterKey& router, const SetLease& lease) {
  lease_holder_.set_lease(clock_now(), router, lease.mode, lease.until);
}

void Speaker::Core::act(Running&, const RouterKey& router, const Announce&) {
  callbacks_.announce(router);
}

void Speaker::Core::act(Running& running, const RouterKey& router, const Transition& transition) {
  callbacks_.transition(running.group.settings().name, router, transition);
}

void Speaker::Core::act(Running& running, const RouterKey&, const Report& report) {
  callbacks_.report(running.group.settings().name, report);
}

void Speaker::Core::act(Running& running, const RouterKey&, const RestartPrepared& prepared) {
  callbacks_.restart_prepared(running.group.settings().name, prepared.until);
}

void Speaker::Core::arm() {
  // The pulse is none that every event would put off.
  TimePoint earliest = groups_.empty() ? kNever : next_pulse_;
  for (const auto& [name, running] : groups_) {
    earliest = std::min(earliest, running.group.deadline());
  }
  if (earliest == armed_for_) {
    return;
  }
  armed_for_ = earliest;
  if (earliest == kNever) {
    timer_.cancel();
    return;
  }
  timer_.expires_at(earliest);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) {
      armed_for_ = kNever;
      wake();
    }
  });
}

void Speaker::Core::wake() {
  next_pulse_ = clock_now() + LeaseHolder::kPulse;
  retry_sockets();
  follow_faults();
  each([](RouterGroup& group, TimePoint now, Actions& actions) {
    if (now >= group.deadline()) {
      group.tick(now, actions);
    }
  });
  arm();
}

void Speaker::Core::stop(const std::string& reason) {
  for (auto& [name, running] : groups_) {
    Actions actions;
    running.group.stop(clock_now(), reason, actions);
    carry_out(running, actions);
  }
}

void Speaker::Core::abandon() {
  for (auto& [name, running] : groups_) {
    running.group.abandon();
  }
}

}  // namespace ballast::vrrp
