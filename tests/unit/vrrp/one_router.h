// One group under test, its actions as text, time in milliseconds since the start.
#pragma once

#include <string>
#include <vector>

#include "tests/unit/vrrp/world.h"

namespace ballast::vrrp::testing {

class OneRouter {
 public:
  explicit OneRouter(GroupSettings settings);

  // Each returns what was done, one line an action: "lease full 240", "advert 100", "announce",
  // "BACKUP -> ACTIVE", "report", "drop backlog", "prepared 480"; for the first member unless said.
  std::vector<std::string> start();
  std::vector<std::string> stop();
  std::vector<std::string> hears(int64_t at_ms, int priority, int node = 1, Duration interval = {},
                                 Family family = Family::kIpv4);
  std::vector<std::string> tick(int64_t at_ms);
  std::vector<std::string> fault(int64_t at_ms, const std::string& text);  // empty: none
  std::vector<std::string> change_priority(int64_t at_ms, int change);
  // Runs all timers until then, without a word from anybody.
  std::vector<std::string> run_until(int64_t at_ms);
  std::vector<std::string> with(int64_t at_ms,
                                const std::function<void(RouterGroup&, TimePoint, Actions&)>& what);

  [[nodiscard]] State state() const { return group.state(); }
  [[nodiscard]] const VirtualRouter& router() const { return group.routers().front(); }
  [[nodiscard]] double deadline_ms() const;
  [[nodiscard]] static TimePoint at(int64_t milliseconds);
  [[nodiscard]] std::string reason() const { return group.last_change().reason; }

  RouterGroup group;

 private:
  std::vector<std::string> text_of(const Actions& actions) const;
};

// Becomes active by its own timer, 3 intervals and skew after its start at 0.
OneRouter active_router(Priority priority, Duration interval = ms(100), bool preempt = false);

}  // namespace ballast::vrrp::testing
