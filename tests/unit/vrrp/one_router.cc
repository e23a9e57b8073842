#include "tests/unit/vrrp/one_router.h"

#include <fmt/format.h>

namespace ballast::vrrp::testing {
namespace {

OwnAddresses addresses_of(const GroupSettings& settings) {
  OwnAddresses result;
  for (const RouterSettings& router : settings.routers) {
    result[router.key] = node_address(5, router.key.family);
  }
  return result;
}

}  // namespace

OneRouter::OneRouter(GroupSettings settings)
    : group(settings, Condition{}, addresses_of(settings)) {}

TimePoint OneRouter::at(int64_t milliseconds) {
  return TimePoint{} + std::chrono::hours{1} + ms(milliseconds);
}

double OneRouter::deadline_ms() const {
  return static_cast<double>((group.deadline() - at(0)).count()) / 1e6;
}

std::vector<std::string> OneRouter::with(
    int64_t at_ms, const std::function<void(RouterGroup&, TimePoint, Actions&)>& what) {
  Actions actions;
  what(group, at(at_ms), actions);
  return text_of(actions);
}

std::vector<std::string> OneRouter::start() {
  return with(0, [](RouterGroup& it, TimePoint now, Actions& actions) { it.start(now, actions); });
}

std::vector<std::string> OneRouter::stop() {
  return with(
      (group.deadline() == kNever ? 0 : static_cast<int64_t>(deadline_ms()) - 1),
      [](RouterGroup& it, TimePoint now, Actions& actions) { it.stop(now, "stopped", actions); });
}

std::vector<std::string> OneRouter::hears(int64_t at_ms, int priority, int node, Duration interval,
                                          Family family) {
  return with(at_ms, [&](RouterGroup& it, TimePoint now, Actions& actions) {
    for (const RouterSettings& router : it.settings().routers) {
      if (router.key.family == family) {
        const Advert advert{router.version, router.key.id, Priority{static_cast<uint8_t>(priority)},
                            interval == Duration{} ? router.advert_interval : interval,
                            router.addresses};
        it.receive(now, router.key, advert, node_address(static_cast<size_t>(node), family),
                   actions);
        return;
      }
    }
  });
}

std::vector<std::string> OneRouter::tick(int64_t at_ms) {
  return with(at_ms,
              [](RouterGroup& it, TimePoint now, Actions& actions) { it.tick(now, actions); });
}

std::vector<std::string> OneRouter::fault(int64_t at_ms, const std::string& text) {
  return with(at_ms, [&text](RouterGroup& it, TimePoint now, Actions& actions) {
    Condition condition = it.condition();
    condition.faults.clear();
    if (!text.empty()) {
      condition.faults.push_back(text);
    }
    it.set_condition(now, condition, actions);
  });
}

std::vector<std::string> OneRouter::change_priority(int64_t at_ms, int change) {
  return with(at_ms, [change](RouterGroup& it, TimePoint now, Actions& actions) {
    it.set_condition(now, {it.condition().faults, change}, actions);
  });
}

std::vector<std::string> OneRouter::run_until(int64_t at_ms) {
  std::vector<std::string> all;
  while (group.deadline() <= at(at_ms)) {
    Actions actions;
    group.tick(group.deadline(), actions);
    for (std::string& line : text_of(actions)) {
      all.push_back(std::move(line));
    }
  }
  return all;
}

std::vector<std::string> OneRouter::text_of(const Actions& actions) const {
  std::vector<std::string> lines;
  for (const Action& action : actions) {
    const auto in_ms = [](TimePoint time) {
      return static_cast<double>((time - at(0)).count()) / 1e6;
    };
    if (const auto* lease = std::get_if<SetLease>(&action.kind)) {
      lines.push_back(
          lease->mode == LeaseMode::kNone
              ? "lease none"
              : fmt::format("lease {} {:.6g}", to_string(lease->mode), in_ms(lease->until)));
    } else if (const auto* sent = std::get_if<SendAdvert>(&action.kind)) {
      lines.push_back(fmt::format("advert {}", index(sent->advert.priority)));
    } else if (const auto* change = std::get_if<Transition>(&action.kind)) {
      lines.push_back(fmt::format("{} -> {}", to_string(change->from), to_string(change->to)));
    } else if (const auto* prepared = std::get_if<RestartPrepared>(&action.kind)) {
      lines.push_back(fmt::format("prepared {:.6g}", in_ms(prepared->until)));
    } else if (std::get_if<Announce>(&action.kind) != nullptr) {
      lines.emplace_back("announce");
    } else if (std::get_if<DropBacklog>(&action.kind) != nullptr) {
      lines.emplace_back("drop backlog");
    } else {
      lines.emplace_back("report");
    }
  }
  return lines;
}

OneRouter active_router(Priority priority, Duration interval, bool preempt) {
  GroupSettings settings = group_of(priority, interval);
  settings.preempt = preempt;
  OneRouter router(settings);
  router.start();
  Actions actions;
  router.group.tick(router.group.deadline(), actions);
  return router;
}

}  // namespace ballast::vrrp::testing
