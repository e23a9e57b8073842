// A frame on its way through the pipeline: what came in, and what was decided.
#pragma once

#include <cstdint>

#include "dataplane/packet/drop_reason.h"
#include "dataplane/packet/frame_buffer.h"
#include "dataplane/packet/numbers.h"
#include "dataplane/packet/packet_view.h"

namespace ballast {

enum class Verdict : uint8_t {
  kDrop,      // for `reason`
  kTransmit,  // on `out_port`, as it now is
  kKernel,    // to the kernel twin of `in_port`
  kHandOver,  // to the worker `owner`
  kHold,      // the pipeline keeps the buffer until the next hop's MAC is known
};

// The bytes belong to whoever runs the pipeline (an mbuf in the program, a vector in a test);
// `handle` is theirs.
struct Packet {
  uint8_t* data = nullptr;
  uint16_t size = 0;        // contiguous at `data`
  uint16_t capacity = 0;    // that may be written from `data` on, tailroom included
  uint32_t frame_size = 0;  // of the whole frame; more than `size` when the buffer is chained
  uint32_t rss_hash = 0;  // Toeplitz over the four-tuple with the pipeline's key, when has_rss_hash
  PortIndex in_port{};
  bool has_rss_hash = false;
  bool handed_over = false;  // came from another worker: this one owns it
  void* handle = nullptr;

  Verdict verdict = Verdict::kDrop;
  DropReason reason = DropReason::kNone;  // of kDrop, and of an answer; else unspecified
  PortIndex out_port{};
  WorkerIndex owner{};
  bool replaced =
      false;  // the frame was written anew: `size` is its whole length, further segments are void

  [[nodiscard]] PacketView view() const { return {data, size, frame_size}; }
};

}  // namespace ballast
