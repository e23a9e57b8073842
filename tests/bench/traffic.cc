#include "tests/bench/traffic.h"

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

}  // namespace ballast::bench
