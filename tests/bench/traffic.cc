#include "tests/bench/traffic.h"

#include <algorithm>
#include <bit>

namespace ballast::bench {
namespace {

constexpr uint32_t kOtherSection = 0xc13fa9a9;  // 1 / the plastic number

uint32_t step_of_ack_turns(uint32_t flows) {
  return FlowOrder::step_of(flows, kOtherSection);
}

}  // namespace

Traffic::Traffic(Pattern pattern, uint32_t flows, uint32_t first)
    : pattern_(pattern),
      flows_(flows),
      first_(first),
      order_(flows),
      ack_turns_(flows, step_of_ack_turns(flows)),
      ack_places_(
          flows, static_cast<uint32_t>(uint64_t{step_of_ack_turns(flows)} * order_.step() % flows)),
      place_(order_.next()) {
  if (pattern != Pattern::kMixed) {
    order_ = FlowOrder(flows);
  }
}

Traffic::Traffic(const Step& step, uint32_t flows, uint32_t first)
    : Traffic(Pattern::kStep, flows, first) {
  step_ = step;
}

// A bijection of the numbers below `flows_`: one of the numbers below the next power of two, again
// and again until the result is below (not on the path of what is measured).
uint32_t Traffic::scrambled(uint32_t number) const {
  const uint32_t mask = std::bit_ceil(flows_) - 1;
  const int half = std::max(1, std::popcount(mask) / 2);
  do {
    number = (number * 0x9e3779b1U + 0x7f4a7c15U) & mask;
    number ^= number >> half;
    number = number * 0x85ebca6bU & mask;
    number ^= number >> half;
  } while (number >= flows_);
  return number;
}

Next Traffic::next_open() {
  const uint32_t turn = std::min(number_ + position_ % kOpenBlock, flows_ - 1);
  const uint8_t flags = position_ < kOpenBlock ? kSyn : kAck;
  if (++position_ == 2 * kOpenBlock) {
    position_ = 0;
    number_ = number_ + kOpenBlock < flows_ ? number_ + kOpenBlock : 0;
  }
  return {first_ + scrambled(turn), flags};
}

Next Traffic::next_step() {
  const uint32_t turn = step_.begin + position_;
  position_ = position_ + 1 == step_.count ? 0 : position_ + 1;
  return {first_ + scrambled(turn), step_.flags};
}

}  // namespace ballast::bench
