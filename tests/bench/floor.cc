#include "tests/bench/floor.h"

#include <array>
#include <cstring>
#include <span>

#include <rte_mbuf.h>
#include <rte_prefetch.h>

namespace ballast::bench {
namespace {

void swap(uint8_t* frame) {
  std::array<uint8_t, 6> destination{};
  std::memcpy(destination.data(), frame, 6);
  std::memcpy(frame, frame + 6, 6);
  std::memcpy(frame + 6, destination.data(), 6);
}

}  // namespace

void swap_macs(std::vector<PortPair>& ports, WorkerIndex worker, const PacketSource& source) {
  Port::Burst frames{};
  Port::Burst buffer{};
  uint16_t buffered = 0;
  Port& out = *ports.back().port;
  const auto flush = [&] {
    const uint16_t sent = out.transmit(worker, buffer.data(), buffered).sent;
    rte_pktmbuf_free_bulk(buffer.data() + sent, static_cast<unsigned>(buffered - sent));
    buffered = 0;
  };
  while (!source.ended()) {
    for (const PortPair& pair : ports) {
      const uint16_t count = pair.port->receive(worker, frames);
      const std::span<rte_mbuf*> burst(frames.data(), count);
      for (rte_mbuf* frame : burst) {
        rte_prefetch0(rte_pktmbuf_mtod(frame, void*));
      }
      for (rte_mbuf* frame : burst) {
        swap(rte_pktmbuf_mtod(frame, uint8_t*));
        buffer[buffered++] = frame;
        if (buffered == buffer.size()) {
          flush();
        }
      }
    }
    if (buffered != 0) {
      flush();
    }
  }
}

}  // namespace ballast::bench
