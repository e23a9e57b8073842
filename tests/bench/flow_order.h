// The numbers 0..count-1 in an order that no prefetcher can guess and no table has to remember.
#pragma once

#include <cstdint>
#include <numeric>
#include <utility>

namespace ballast::bench {

// i * step modulo count, each number once a round. The step is the golden section of count, made
// prime to it, so that neighbours in the order are far apart in number. An addition and a
// comparison a number, no division.
class FlowOrder {
 public:
  explicit FlowOrder(uint32_t count) : FlowOrder(count, step_of(count, kGoldenSection)) {}
  FlowOrder(uint32_t count, uint32_t step) : count_(count), step_(step) {}

  uint32_t next() {
    const uint32_t result = at_;
    const uint64_t sum = uint64_t{at_} + step_;
    at_ = static_cast<uint32_t>(sum < count_ ? sum : sum - count_);
    return result;
  }
  [[nodiscard]] uint32_t count() const { return count_; }
  [[nodiscard]] uint32_t step() const { return step_; }

  // The step that is `fraction` (of 2^32) of count, or the next one that is prime to it.
  static uint32_t step_of(uint32_t count, uint32_t fraction) {
    auto step = static_cast<uint32_t>(uint64_t{count} * fraction >> 32);
    while (std::gcd(step, count) != 1) {
      ++step;
    }
    return step;
  }

  static constexpr uint32_t kGoldenSection = 0x9e3779b1;

  // The number that step times it is 1, modulo count: Euclid's algorithm.
  [[nodiscard]] uint32_t inverse_of_step() const {
    int64_t before = count_;
    int64_t rest = step_ % count_;
    int64_t factor_before = 0;
    int64_t factor = 1;
    while (rest > 1) {
      const int64_t quotient = before / rest;
      before = std::exchange(rest, before % rest);
      factor_before = std::exchange(factor, factor_before - quotient * factor);
    }
    return static_cast<uint32_t>(factor < 0 ? factor + count_ : factor);
  }

 private:
  uint32_t count_;
  uint32_t step_;
  uint32_t at_ = 0;
};

}  // namespace ballast::bench
