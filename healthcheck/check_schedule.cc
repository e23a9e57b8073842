#include "healthcheck/check_schedule.h"

#include <algorithm>

#include "healthcheck/check_settings.h"

namespace ballast::healthcheck {
namespace {

std::chrono::nanoseconds scaled(std::chrono::nanoseconds duration, double factor) {
  return std::chrono::nanoseconds(
      static_cast<int64_t>(static_cast<double>(duration.count()) * factor));
}

}  // namespace

// The bounds hold even for settings that nobody validated: an interval of 0 would be an endless
// loop.
CheckSchedule::CheckSchedule(std::chrono::milliseconds interval, double jitter, uint64_t seed,
                             bool may_wait, TimePoint now)
    : interval_(std::clamp(interval, CheckSettings::kMinInterval, CheckSettings::kMaxInterval)),
      jitter_(jitter > 0 ? std::min(jitter, CheckSettings::kMaxJitter) : 0),
      random_(seed) {
  const auto spread =
      may_wait ? interval_ : std::min<std::chrono::nanoseconds>(interval_, kFirstSpread);
  due_ = now + scaled(spread, draw());
}

void CheckSchedule::begin(TimePoint now) {
  due_ = now + scaled(interval_, 1 + jitter_ * (2 * draw() - 1));
}

// SplitMix64: 8 bytes of state, good from any seed.
double CheckSchedule::draw() {
  random_ += 0x9e3779b97f4a7c15;
  uint64_t value = random_;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  value ^= value >> 31;
  return static_cast<double>(value >> 11) * 0x1p-53;
}

}  // namespace ballast::healthcheck
