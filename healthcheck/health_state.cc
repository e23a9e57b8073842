#include "healthcheck/health_state.h"

#include <algorithm>

namespace ballast::healthcheck {

std::string_view to_string(Health health) {
  switch (health) {
    case Health::kUnknown:
      return "unknown";
    case Health::kUp:
      return "up";
    case Health::kDown:
      return "down";
  }
  return "invalid";
}

HealthState::HealthState(uint32_t rise, uint32_t fall, Health initial, TimePoint now)
    : rise_(std::max(rise, 1U)), fall_(std::max(fall, 1U)), health_(initial), since_(now) {}

std::optional<Health> HealthState::observe(const CheckResult& result, TimePoint now) {
  last_text_ = result.text;
  if (result.verdict == Verdict::kInconclusive) {
    ++counts_.inconclusive;
    return std::nullopt;
  }
  const bool healthy = result.verdict == Verdict::kHealthy;
  ++(healthy ? counts_.healthy : counts_.unhealthy);
  const Health seen = healthy ? Health::kUp : Health::kDown;
  if (seen == health_) {
    contrary_run_ = 0;
    return std::nullopt;
  }
  ++contrary_run_;
  if (health_ != Health::kUnknown && contrary_run_ < (healthy ? rise_ : fall_)) {
    return std::nullopt;
  }
  change_to(seen, now);
  return seen;
}

void HealthState::restart(uint32_t rise, uint32_t fall) {
  rise_ = std::max(rise, 1U);
  fall_ = std::max(fall, 1U);
  contrary_run_ = 0;
}

bool HealthState::force(Health health, std::string_view why, TimePoint now) {
  last_text_ = why;
  contrary_run_ = 0;
  if (health == health_) {
    return false;
  }
  change_to(health, now);
  return true;
}

void HealthState::change_to(Health health, TimePoint now) {
  health_ = health;
  since_ = now;
  contrary_run_ = 0;
  ++counts_.flips;
}

}  // namespace ballast::healthcheck
