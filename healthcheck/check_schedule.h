// When the next check of one server is due. Pure: time and randomness are arguments.
//
// The next check begins one interval after the last one began, not after it ended, so that slow
// answers do not stretch the time to detect a failure. An interval is drawn anew each time from
// interval * [1 - jitter, 1 + jitter], so that checks of thousands of servers do not fall into
// step. The first check is spread: over one whole interval where the health is known already, over
// at most kFirstSpread where it is not, because such a server serves nobody until then.
//
// One check at a time: the owner calls begin() only when the last check has ended. A check that
// lasted longer than the interval is followed by the next at once.
#pragma once

#include <chrono>
#include <cstdint>

#include "healthcheck/health_state.h"

namespace ballast::healthcheck {

class CheckSchedule {
 public:
  static constexpr std::chrono::milliseconds kFirstSpread{1000};

  // Equal seeds give equal schedules.
  CheckSchedule(std::chrono::milliseconds interval, double jitter, uint64_t seed, bool may_wait,
                TimePoint now);

  [[nodiscard]] TimePoint due() const { return due_; }

  // A check begins now.
  void begin(TimePoint now);

 private:
  double draw();  // uniform in [0, 1)

  std::chrono::nanoseconds interval_;
  double jitter_;
  uint64_t random_;
  TimePoint due_;
};

}  // namespace ballast::healthcheck
