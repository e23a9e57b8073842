// Which frame comes next, by arithmetic alone: nothing is remembered of a flow, so that the source
// of a benchmark takes no cache from what is measured.
//
// A flow is a number of 32 bits; its tuple is client 10.0.0.0 + number / 256 (2001:db8:ffff::10.x
// in IPv6), port 32768 + number % 256, towards one VIP. A Pattern says which number comes next and
// with which TCP flags.
#pragma once

#include <cstdint>

#include "dataplane/packet/parser.h"
#include "tests/bench/flow_order.h"

namespace ballast::bench {

// A frame: the number of its flow, and its TCP flags.
struct Next {
  uint32_t number;
  uint8_t flags;
};

enum class Pattern : uint8_t {
  // Each flow in turn, in permuted order: an ACK, or a datagram.
  kKnown,
  // Opens each flow: 32 first packets (SYN, or datagram), then the second ones of the same flows
  // (ACK, or datagram), after which they are trusted. In an order that has nothing to do with that
  // of the other patterns: connections lie in memory in the order in which they were opened, and
  // turns at constant distances are cheaper than they should be (113 instead of 144 ns a packet,
  // measured with 131072 flows).
  kOpen,
  // First packets only, each of another flow, in permuted order.
  kNew,
  // Of ten packets one is the SYN of a new flow, one the FIN of an open one, eight are ACKs. There
  // are `flows` places with one open flow each. The SYN opens a flow (of a tuple never seen before)
  // in the place whose turn it is, four ACKs later comes the FIN of the one that was there before,
  // and after four more ACKs it is the next place's turn, in permuted order. The ACKs go to the
  // open flow of each place in turn, in another permuted order: eight in a flow's life, on average.
  kMixed,
  // Ten packets: the ACK of a known flow, and nine SYNs of tuples never seen before.
  kFlood,
  // One packet with the same flags of each of some flows, in the order of kOpen: a step of their
  // handshakes, where the server's step comes between two of the client's.
  kStep,
};

// Some flows of the order of kOpen: turns `begin` to `begin + count - 1`.
struct Step {
  uint32_t begin;
  uint32_t count;
  uint8_t flags;
};

class Traffic {
 public:
  // Of the flows `first`, `first` + 1, ... (kMixed: 0, 1, ... to begin with). The new ones of
  // kFlood are those from kFirstOfFlood on.
  Traffic(Pattern pattern, uint32_t flows, uint32_t first = 0);
  // kStep.
  Traffic(const Step& step, uint32_t flows, uint32_t first = 0);

  static constexpr uint32_t kFirstOfFlood = uint32_t{1} << 31U;

  [[nodiscard]] Pattern pattern() const { return pattern_; }

  template <Pattern kPattern>
  Next next() {
    if constexpr (kPattern == Pattern::kKnown) {
      return {first_ + order_.next(), kAck};
    } else if constexpr (kPattern == Pattern::kOpen) {
      return next_open();
    } else if constexpr (kPattern == Pattern::kNew) {
      return {first_ + order_.next(), kSyn};
    } else if constexpr (kPattern == Pattern::kMixed) {
      return next_mixed();
    } else if constexpr (kPattern == Pattern::kStep) {
      return next_step();
    } else {
      return next_flood();
    }
  }

  // kKnown: which turn next() will be of this round, if every one was announced by this.
  uint32_t next_turn() {
    const uint32_t turn = turn_;
    turn_ = turn + 1 == flows_ ? 0 : turn + 1;
    return turn;
  }

 private:
  static constexpr uint32_t kCycle = 10;
  static constexpr uint32_t kOpenBlock = 32;
  static constexpr uint32_t kFloodStep = 0x9e3779b1;  // odd: visits all numbers of 31 bits

  Next next_open();
  Next next_step();
  [[nodiscard]] uint32_t scrambled(uint32_t number) const;
  Next next_mixed();
  Next next_flood();

  Pattern pattern_;
  uint32_t flows_;
  uint32_t first_;
  FlowOrder order_;        // of flows; kMixed: of places
  uint32_t position_ = 0;  // within the cycle, or the two blocks
  uint32_t number_ = 0;    // kOpen: the first flow of the block; kFlood: the last new one
  Step step_{};            // kStep; `position_` within it

  // kMixed. The place p = order_(t) has its turn as number t of every round: so the ACKs' order
  // goes over turns, and alongside over the places that belong to them, and a comparison tells
  // whether a place has had its turn in this round.
  FlowOrder ack_turns_;
  FlowOrder ack_places_;
  uint32_t turn_ = 0;
  uint32_t place_ = 0;
  uint32_t round_base_ = 0;  // number of the flow in place 0 when the round began
  uint32_t closing_ = 0;
};

inline Next Traffic::next_mixed() {
  const uint32_t position = position_;
  position_ = position == kCycle - 1 ? 0 : position + 1;
  if (position == 0) {
    closing_ = round_base_ + place_;
    const uint32_t opened = closing_ + flows_;
    place_ = order_.next();
    if (++turn_ == flows_) {
      turn_ = 0;
      round_base_ += flows_;
    }
    return {opened, kSyn};
  }
  if (position == kCycle / 2) {
    return {closing_, kFin | kAck};
  }
  const uint32_t renewed = ack_turns_.next() < turn_ ? flows_ : 0;
  return {round_base_ + renewed + ack_places_.next(), kAck};
}

inline Next Traffic::next_flood() {
  position_ = position_ == kCycle - 1 ? 0 : position_ + 1;
  if (position_ == 0) {
    return {first_ + order_.next(), kAck};
  }
  number_ += kFloodStep;
  return {kFirstOfFlood | (number_ & (kFirstOfFlood - 1)), kSyn};
}

}  // namespace ballast::bench
