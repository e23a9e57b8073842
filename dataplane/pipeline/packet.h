// A frame on its way through the pipeline: what came in, and what was decided.
#pragma once

#include <cstdint>

#include "dataplane/packet/byte_order.h"
#include "dataplane/packet/drop_reason.h"
#include "dataplane/packet/frame_buffer.h"
#include "dataplane/packet/numbers.h"
#include "dataplane/packet/packet_view.h"

namespace ballast {

// Why a packet is, or was, given to another worker. A packet that was handed over is handed over
// again only for a reason further down, so that none goes round.
enum class HandOver : uint8_t {
  kNone,
  kFragment,     // that worker knows the ports of this fragment's datagram, or will
  kFlow,         // that worker owns the flow; from here on it is not asked who does
  kFormerOwner,  // that worker owned the flow before its service's mode was changed
  kNewFlow,      // that worker owns the flow, which its former owner does not know
};

enum class Verdict : uint8_t {
  kDrop,      // for `reason`
  kTransmit,  // on `out_port`, as it now is
  kKernel,    // to the kernel twin of `in_port`
  kHandOver,  // to the worker `owner`
  kHold,      // the pipeline keeps the buffer until the next hop's MAC is known
};

// The bytes belong to whoever runs the pipeline (an mbuf in the program, a vector in a test);
// `handle` is theirs.
struct alignas(64) Packet {
  uint8_t* data = nullptr;
  uint16_t size = 0;      // contiguous at `data`
  uint16_t capacity = 0;  // that may be written from `data` on, tailroom included
  uint16_t headroom = 0;  // bytes in front of `data` that may be written
  PortIndex in_port{};
  void* handle = nullptr;
  uint32_t frame_size = 0;  // of the whole frame; more than `size` when the buffer is chained
  uint32_t rss_hash = 0;  // Toeplitz over the four-tuple with the pipeline's key, when has_rss_hash
  bool has_rss_hash = false;

  Verdict verdict = Verdict::kDrop;
  DropReason reason = DropReason::kNone;     // of kDrop, and of an answer; else unspecified
  WorkerIndex owner{};                       // of kHandOver
  HandOver hand_over_for = HandOver::kNone;  // of kHandOver
  PortIndex out_port{};
  IpProtocol datagram_protocol{};  // see below

  // What is cleared for every packet lies side by side, in words that are stored at once.
  alignas(8) HandOver handed_over = HandOver::kNone;  // came from another worker
  bool replaced =
      false;  // the frame was written anew: `size` is its whole length, further segments are void
  // Not 0: longer than the outgoing port's MTU, and its sender allows to fragment it: to be cut
  // into IP fragments of at most this many bytes (RFC 791 section 3.2, RFC 8200 section 4.5).
  uint16_t fragment_mtu = 0;
  // Bytes by which the frame grew at its front (tunnels): `data`, `size` and `frame_size` say what
  // it is now.
  uint16_t grown = 0;
  // Of a fragment's datagram, once they are known (then the ports are not 0); they travel along to
  // the worker that owns the flow.
  Big16 datagram_source_port;
  Big16 datagram_destination_port;

  [[nodiscard]] PacketView view() const { return {data, size, frame_size}; }
};

}  // namespace ballast
