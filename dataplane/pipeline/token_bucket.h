// A rate limit: so many per second, with a burst. One thread; time is an argument.
#pragma once

#include <algorithm>
#include <cstdint>

namespace ballast {

class TokenBucket {
 public:
  // `per_second` 0 lets nothing through. The bucket starts full.
  TokenBucket(uint32_t per_second, uint32_t burst)
      : per_second_(per_second), capacity_(uint64_t{burst} * kUnit), tokens_(capacity_) {}

  // Whether one more may pass at `now_ns`; time that goes back is taken as standing still.
  bool take(uint64_t now_ns) {
    if (now_ns > last_ns_) {
      // A pause of more than ten seconds fills any sensible bucket; the clamp keeps the product
      // within 64 bits.
      const uint64_t elapsed_ns = std::min<uint64_t>(now_ns - last_ns_, 10 * kUnit);
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
  uint64_t tokens_;
  uint64_t last_ns_ = 0;
};

}  // namespace ballast
