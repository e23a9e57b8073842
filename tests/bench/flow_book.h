// Where the balancer sent each flow in NAT and FULLNAT: what a server's packets need to be its
// replies.
//
// Four bytes a flow, in the order in which flows have their turns (Pattern::kKnown), so that
// traffic from servers reads them one after the other, ahead of which the processor fetches: what
// is measured loses no cache to speak of.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/bench/flow_order.h"

namespace ballast::bench {

struct Destination {
  uint8_t server = 0;  // 1 to kServers; 0: not known
  uint8_t local = 0;   // FULLNAT: 1 and up
  uint16_t port = 0;   // FULLNAT, in host order

  friend bool operator==(const Destination&, const Destination&) = default;
};
static_assert(sizeof(Destination) == 4);

class FlowBook {
 public:
  explicit FlowBook(uint32_t flows)
      : order_(flows), inverse_(order_.inverse_of_step()), by_turn_(flows) {}

  [[nodiscard]] const Destination& of_turn(uint32_t turn) const { return by_turn_[turn]; }
  [[nodiscard]] Destination& of_flow(uint32_t number) { return by_turn_[turn_of(number)]; }
  [[nodiscard]] uint32_t turn_of(uint32_t number) const {
    return static_cast<uint32_t>(uint64_t{number} * inverse_ % order_.count());
  }
  [[nodiscard]] uint32_t flows() const { return order_.count(); }

 private:
  FlowOrder order_;
  uint32_t inverse_;
  std::vector<Destination> by_turn_;
};

}  // namespace ballast::bench
