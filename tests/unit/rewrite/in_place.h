// Packet in, packet out: for tests of what answers a frame in place.
#pragma once

#include <cstddef>
#include <optional>
#include <ostream>
#include <random>

#include <gtest/gtest.h>

#include "dataplane/packet/frame_buffer.h"
#include "dataplane/packet/parser.h"
#include "tests/unit/packet_builder.h"
#include "tests/unit/packet_samples.h"

namespace ballast::testing {

inline ParsedPacket parsed(Frame frame) {
  ParsedPacket packet;
  EXPECT_EQ(parse(frame.view(), packet), DropReason::kNone);
  return packet;
}

// Lets `build` change the frame, in a heap buffer of its size and `tailroom` bytes. What `build`
// made, or nothing when it refused; a refusal must have changed nothing. `packet` may be of a
// longer frame than the one that is given.
template <typename Build>
std::optional<Frame> in_place(const Frame& frame, const ParsedPacket& packet, size_t tailroom,
                              Build build) {
  const ExactBuffer buffer(frame.bytes, tailroom);
  FrameBuffer room{buffer.data(), static_cast<uint16_t>(frame.size()),
                   static_cast<uint16_t>(frame.size() + tailroom)};
  const bool built = build(room, packet);
  EXPECT_LE(room.length, room.capacity);
  Frame result{Bytes(room.data, room.data + room.length)};
  if (!built) {
    EXPECT_EQ(result, frame) << "refused, but changed";
    return std::nullopt;
  }
  return result;
}

// What must hold for everything that is sent: the parser takes it, all of it belongs to the packet,
// the checksums are right by the slow reference.
inline void expect_sendable(Frame frame) {
  ParsedPacket packet;
  ASSERT_EQ(parse(frame.view(), packet), DropReason::kNone);
  EXPECT_EQ(frame.wrong_checksum(), "");
  EXPECT_EQ(size_t{packet.network_offset} + packet.network_length, frame.size());
}

// Every sample, every truncation of it (parsed anew, and as if its end lay in another segment), and
// random changes of its bytes: `build` must stay inside the buffer, and refuse or make something
// that may be sent.
template <typename Build>
void expect_safe_on_anything(size_t tailroom, Build build) {
  std::mt19937 random(1);
  for (const Sample& sample : sample_frames()) {
    SCOPED_TRACE(sample.name);
    const ParsedPacket whole = parsed(sample.frame);
    for (size_t size = 0; size <= sample.frame.size(); ++size) {
      Frame cut = sample.frame.truncated(size);
      if (const auto out = in_place(cut, whole, tailroom, build)) {
        ASSERT_NO_FATAL_FAILURE(expect_sendable(*out)) << "cut to " << size;
      }
      ParsedPacket packet;
      if (parse(cut.view(), packet) == DropReason::kNone) {
        if (const auto out = in_place(cut, packet, tailroom, build)) {
          ASSERT_NO_FATAL_FAILURE(expect_sendable(*out)) << "cut to " << size;
        }
      }
    }
    for (int change = 0; change < 300; ++change) {
      Frame changed = sample.frame;
      for (unsigned i = 0; i <= random() % 3; ++i) {
        changed.bytes[random() % changed.size()] = static_cast<uint8_t>(random());
      }
      ParsedPacket packet;
      if (parse(changed.view(), packet) != DropReason::kNone) {
        continue;
      }
      if (const auto out = in_place(changed, packet, tailroom, build)) {
        ASSERT_NO_FATAL_FAILURE(expect_sendable(*out));
      }
    }
  }
}

}  // namespace ballast::testing
