#include "vrrp/timing.h"

#include <algorithm>

namespace ballast::vrrp {

Duration skew_time(Version version, Priority priority, Duration interval) {
  const Duration whole = version == Version::kV2 ? Duration{std::chrono::seconds{1}} : interval;
  return whole * (256 - index(priority)) / 256;
}

Duration active_down_interval(Version version, Priority priority, Duration interval) {
  return 3 * interval + skew_time(version, priority, interval);
}

Duration longest_believed_interval(Duration own) {
  return std::min(std::max(10 * own, Duration{std::chrono::seconds{2}}), kMaximumIntervalV3);
}

Duration believed_interval(Duration announced, Duration own) {
  return std::min(announced, longest_believed_interval(own));
}

Duration lease_duration(Duration interval) {
  return interval * 12 / 5;
}

Duration freeze_threshold(Version version, Priority priority, Duration interval) {
  return 2 * interval + skew_time(version, priority, interval);
}

Duration lease_silence(Duration interval) {
  return interval * 27 / 10;
}

Duration listening_time(Duration interval) {
  return lease_silence(interval);
}

}  // namespace ballast::vrrp
