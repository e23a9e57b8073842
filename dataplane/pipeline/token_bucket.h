// A rate limit: so many per second, with a burst. One thread; time is an argument.
#pragma once

#include <algorithm>
#include <cstdint>

namespace ballast {

class TokenBucket {
 public:
  // `per_second` 0 lets nothing through. The bucket starts full.
  TokenBucket(uint32_t per_second, uint32_t burst)
      : per_second_(per_second),
        capacity_(per_second == 0 ? 0 : uint64_t{burst} * kUnit),
        full_after_ns_(per_second == 0 ? 0 : capacity_ / per_second + 1),
        tokens_(capacity_) {}

  // Whether one more may pass at `now_ns`; time that goes back is taken as standing still.
  bool take(uint64_t now_ns) {
    if (now_ns > last_ns_) {
      // No pause is longer than what fills an empty bucket: the product is then at most its
      // capacity and one second's tokens, which 64 bits hold whatever the rate.
      const uint64_t elapsed_ns = std::min(now_ns - last_ns_, full_after_ns_);
      tokens_ = std::min(capacity_, tokens_ + elapsed_ns * per_second_);
      last_ns_ = now_ns;
    }
    if (tokens_ < kUnit) {
      return false;
    }
    tokens_ -= kUnit;
    return true;
  }

 private:
  static constexpr uint64_t kUnit = 1'000'000'000;  // a token, in token-nanoseconds

  uint64_t per_second_;
  uint64_t capacity_;
  uint64_t full_after_ns_;  // an empty bucket
  uint64_t tokens_;
  uint64_t last_ns_ = 0;
};

}  // namespace ballast
