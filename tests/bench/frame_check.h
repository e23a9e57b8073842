// Whether each frame that left is what the mode makes of the one that came in, byte by byte.
//
// What must come out is put together here from the frame as its source wrote it, without any of the
// balancer's code: addresses, ports and TTL set, checksums by definition (of the IP header) or by
// what they must have in common with those before (of the transport header: the balancer changes
// what was wrong by as much as what is right).
#pragma once

#include <cstdint>
#include <string>

#include <tl/expected.hpp>

#include "tests/bench/flow_book.h"
#include "tests/bench/forwarding.h"
#include "tests/bench/frame_writer.h"
#include "tests/bench/packet_source.h"

namespace ballast::bench {

class FrameCheck {
 public:
  enum class Book : uint8_t {
    kLearn,  // what a client's frames have become is noted
    kKeep,   // and must be as it was noted
  };

  // The source's writers; `replies` and `book` in NAT and FULLNAT. `last_port`: that of the
  // servers.
  FrameCheck(const Forwarding& forwarding, const FrameWriter& frames, const ReplyWriter* replies,
             FlowBook* book, size_t last_port)
      : forwarding_(forwarding),
        frames_(frames),
        replies_(replies),
        book_(book),
        last_port_(last_port) {}

  // A frame of a flow that came in from this direction.
  void look_at(const SentFrame& sent, Direction from, Book book);

  [[nodiscard]] uint64_t right() const { return right_; }
  // An error describes the first frame that was wrong.
  [[nodiscard]] tl::expected<void, std::string> verdict() const;

 private:
  [[nodiscard]] std::string fault_from_client(const SentFrame& sent, Book book);
  [[nodiscard]] std::string fault_from_server(const SentFrame& sent) const;
  [[nodiscard]] std::string fault_of_tunnel(const SentFrame& sent, const FrameBytes& original,
                                            uint8_t server) const;
  [[nodiscard]] FrameBytes original_from_client(const SentFrame& sent, uint8_t flags) const;
  [[nodiscard]] FrameBytes original_from_server(const SentFrame& sent, uint8_t flags) const;
  [[nodiscard]] size_t flags_place() const;

  const Forwarding forwarding_;
  const FrameWriter& frames_;
  const ReplyWriter* replies_;
  FlowBook* book_;
  size_t last_port_;
  uint64_t right_ = 0;
  uint64_t wrong_ = 0;
  std::string first_fault_;
};

}  // namespace ballast::bench
