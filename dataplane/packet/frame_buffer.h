// A frame that is answered in place: what comes out is written over what came in.
#pragma once

#include <cstdint>

#include "dataplane/packet/packet_view.h"

namespace ballast {

// Borrowed for the length of a call. `data[0, length)` is the frame, contiguous; up to `capacity`
// bytes may be written from `data` on (the tailroom is in it), the writer sets `length`.
struct FrameBuffer {
  uint8_t* data = nullptr;
  uint16_t length = 0;
  uint16_t capacity = 0;

  [[nodiscard]] PacketView view() const { return {data, length}; }
  [[nodiscard]] PacketView room() const { return {data, capacity}; }
};

}  // namespace ballast
