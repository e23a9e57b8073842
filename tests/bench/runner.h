// Runs of one director over one kind of frames: through its worker, or through the floor's loop in
// the worker's place.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include <tl/expected.hpp>

#include "tests/bench/director.h"
#include "tests/bench/frame_check.h"
#include "tests/bench/packet_source.h"

namespace ballast::bench {

class Runner {
 public:
  // `flows`: that will be open, numbered from 0. `milliseconds`: how long a run should be, about.
  Runner(Director& director, Family family, IpProtocol protocol, uint32_t flows,
         unsigned milliseconds);

  // Makes the connections of the flows, all trusted. In NAT and FULLNAT what became of each frame
  // is looked at, and noted for the servers' replies; an error says which frame was wrong.
  tl::expected<void, std::string> open();
  // How many packets of this traffic a run should have; sends some of them.
  uint64_t packets_in_time(Traffic& traffic);
  // In the director's direction.
  Stretch worker(Traffic& traffic, uint64_t packets, uint64_t warm_up = kWarmUp);
  // Over a copy of the traffic: the worker's goes on where it was.
  Stretch floor(const Traffic& traffic, uint64_t packets);
  // A packet of each flow that is open, from this side, each of which is looked at.
  tl::expected<void, std::string> verify(Direction from);

  // A run that no other thread disturbed, if one of a few is; else the last of them, and it counts
  // as disturbed().
  Stretch undisturbed(const std::function<Stretch()>& run);
  [[nodiscard]] unsigned disturbed() const { return disturbed_; }

  static constexpr uint64_t kWarmUp = 500'000;
  // Runs are whole bursts and whole cycles of traffic.
  static uint64_t whole_blocks(uint64_t packets);

 private:
  PacketSource& source() { return director_.network().source(0); }
  [[nodiscard]] const Forwarding& forwarding() const { return director_.forwarding(); }
  [[nodiscard]] PacketSource::Run run_from(Direction from, Traffic& traffic, uint64_t packets);
  uint64_t look_at_all(Direction from, Traffic traffic, uint64_t packets, FrameCheck& check,
                       FrameCheck::Book book);
  tl::expected<void, std::string> open_by_steps();

  Director& director_;
  FrameWriter frames_;
  ReplyWriter replies_;
  uint32_t flows_;
  std::optional<FlowBook> book_;  // NAT, FULLNAT
  unsigned milliseconds_;
  unsigned disturbed_ = 0;
};

// "", or "  2 runs disturbed", to end a line with.
std::string in_words(unsigned disturbed);

}  // namespace ballast::bench
