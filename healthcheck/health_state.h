// The health of one server, as a value with one operation: observe a result, and perhaps flip.
//
// A server is unknown until the first conclusive result, which decides: one success brings it up,
// one failure takes it down. At start there is nothing to protect from flapping, and traffic should
// neither wait `rise` checks for a healthy server nor be sent to one that just refused. From then
// on `fall` failures in a row take it down and `rise` successes in a row bring it up; a shorter run
// changes nothing. Inconclusive results are counted, and neither extend nor end a run.
//
// A state can begin from a health that is known already: a restarted daemon adopts what the
// dataplane has in force, and a changed check goes on from the present health.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "healthcheck/check_result.h"

namespace ballast::healthcheck {

using TimePoint = std::chrono::steady_clock::time_point;

enum class Health : uint8_t { kUnknown, kUp, kDown };

std::string_view to_string(Health health);  // "unknown", "up", "down"

struct HealthCounts {
  uint64_t healthy = 0;
  uint64_t unhealthy = 0;
  uint64_t inconclusive = 0;
  uint64_t flips = 0;  // the first decision included

  friend bool operator==(const HealthCounts&, const HealthCounts&) = default;
};

class HealthState {
 public:
  // `now` is the time that since() tells until the first flip. A rise or fall of 0 is taken for 1.
  HealthState(uint32_t rise, uint32_t fall, Health initial, TimePoint now);

  // The new health if this result changed it.
  std::optional<Health> observe(const CheckResult& result, TimePoint now);

  // Another rise and fall from here on: health, counts and since stay, the run begins anew.
  void restart(uint32_t rise, uint32_t fall);

  // Sets the health without a check, for servers that are not checked. True if that changed it.
  bool force(Health health, std::string_view why, TimePoint now);

  [[nodiscard]] Health health() const { return health_; }
  [[nodiscard]] TimePoint since() const { return since_; }
  // Conclusive results in a row that speak against the present health; below rise or fall.
  [[nodiscard]] uint32_t contrary_run() const { return contrary_run_; }
  [[nodiscard]] const HealthCounts& counts() const { return counts_; }
  // Empty before the first result.
  [[nodiscard]] const std::string& last_text() const { return last_text_; }

  friend bool operator==(const HealthState&, const HealthState&) = default;

 private:
  void change_to(Health health, TimePoint now);

  uint32_t rise_;
  uint32_t fall_;
  Health health_;
  TimePoint since_;
  uint32_t contrary_run_ = 0;
  HealthCounts counts_;
  std::string last_text_;
};

}  // namespace ballast::healthcheck
