// Pools of packet buffers.
//
// A device that moves packets by DMA needs each buffer to be contiguous for the bus: DPDK then puts
// none across a page, and without hugepages only one into each page of 4 KiB. AF_XDP's driver, on
// the other hand, gives the kernel a memory of as many bytes as the buffers have together, from the
// first one on: with gaps between them the last buffers lie outside, the kernel throws them away,
// and the port falls silent once all that are left are among those. So its buffers lie back to
// back, which does for all virtual devices.
#pragma once

#include <cstdint>
#include <string>

struct rte_mempool;

namespace ballast {

enum class BufferPlacement : uint8_t { kForDma, kBackToBack };

// `room`: bytes of each for headroom and frame. Null when there is no memory; who made it frees it,
// by rte_mempool_free().
rte_mempool* make_packet_buffers(const std::string& name, uint32_t count, uint16_t room,
                                 BufferPlacement placement);

}  // namespace ballast
