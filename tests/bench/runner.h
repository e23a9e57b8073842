// Runs of one director over one kind of frames: through its worker, or through the floor's loop in
// the worker's place.
#pragma once

#include <functional>
#include <string>

#include "tests/bench/director.h"
#include "tests/bench/packet_source.h"

namespace ballast::bench {

class Runner {
 public:
  // `milliseconds`: how long a run should be, about.
  Runner(Director& director, const FrameWriter& frames, unsigned milliseconds)
      : director_(director), frames_(frames), milliseconds_(milliseconds) {}

  // Makes connections of so many flows, all trusted.
  void open(uint32_t flows, uint32_t first = 0);
  // How many packets of this traffic a run should have; sends some of them.
  uint64_t packets_in_time(Traffic& traffic);
  Stretch worker(Traffic& traffic, uint64_t packets, uint64_t warm_up = kWarmUp);
  // Over a copy of the traffic: the worker's goes on where it was.
  Stretch floor(const Traffic& traffic, uint64_t packets);

  // A run that no other thread disturbed, if one of a few is; else the last of them, and it counts
  // as disturbed().
  Stretch undisturbed(const std::function<Stretch()>& run);
  [[nodiscard]] unsigned disturbed() const { return disturbed_; }

  static constexpr uint64_t kWarmUp = 500'000;
  // Runs are whole bursts and whole cycles of traffic.
  static uint64_t whole_blocks(uint64_t packets);

 private:
  PacketSource& source() { return director_.network().source(0); }

  Director& director_;
  const FrameWriter& frames_;
  unsigned milliseconds_;
  unsigned disturbed_ = 0;
};

// "", or "  2 runs disturbed", to end a line with.
std::string in_words(unsigned disturbed);

}  // namespace ballast::bench
