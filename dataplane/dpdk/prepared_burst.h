// The frames of a burst that the driver agrees to send.
//
// Theory of operation
//   rte_eth_tx_prepare() stops at the first frame that it refuses and leaves what is behind it
//   unprepared. One bad frame must not cost the others: it goes to the end of the burst, and
//   preparing goes on behind its place. Those that are agreed to keep their order.
#pragma once

#include <algorithm>
#include <cstdint>

struct rte_mbuf;

namespace ballast {

// How many of the frames, now the first ones, may be sent. `prepare(frames, count)` says how many
// of the beginning are prepared, as rte_eth_tx_prepare() does.
template <typename Prepare>
uint16_t prepare_burst(rte_mbuf** frames, uint16_t count, Prepare prepare) {
  uint16_t ready = 0;
  uint16_t end = count;
  while (ready < end) {
    ready =
        static_cast<uint16_t>(ready + prepare(frames + ready, static_cast<uint16_t>(end - ready)));
    if (ready < end) {
      std::rotate(frames + ready, frames + ready + 1, frames + count);
      --end;
    }
  }
  return ready;
}

}  // namespace ballast
