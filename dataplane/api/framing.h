// Frames on a byte stream: a 32-bit big-endian length, then that many bytes of one protobuf
// message.
//
// A decoder is fed whatever bytes arrive and gives whole messages. It never holds more than one
// frame and what was fed behind it, so that a reader who drains it after every read is bounded by
// kMaxFrameBytes plus one read. An error ends the stream: there is no way to find the next frame
// behind a wrong length.
//
// Nothing here knows which messages travel: the contract and ballastd's own API share it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

namespace google::protobuf {
class MessageLite;
}

namespace ballast::api {

inline constexpr size_t kFrameHeaderBytes = 4;
inline constexpr size_t kMaxFrameBytes = size_t{16} << 20;  // of the message, without the header

// Appends the frame of `message` to `out`; an error, and nothing appended, when it is too long.
tl::expected<void, std::string> append_frame(std::string& out,
                                             const google::protobuf::MessageLite& message,
                                             size_t max_frame_bytes = kMaxFrameBytes);

// Parses the bytes of one frame; an error names the message and leaves it in an unspecified state.
tl::expected<void, std::string> parse_message(std::string_view payload,
                                              google::protobuf::MessageLite& message);

class FrameDecoder {
 public:
  explicit FrameDecoder(size_t max_frame_bytes = kMaxFrameBytes)
      : max_frame_bytes_(max_frame_bytes) {}

  void feed(std::string_view bytes);

  // The bytes of the next whole frame, valid until the next call of any method; nothing when more
  // must be fed. An error repeats for ever.
  tl::expected<std::optional<std::string_view>, std::string> next();

  // The next whole frame parsed into `message`: whether there was one.
  tl::expected<bool, std::string> next(google::protobuf::MessageLite& message);

  // Bytes that were fed and not yet given out: not 0 at the end of a stream means that it ended
  // inside a frame.
  [[nodiscard]] size_t pending_bytes() const { return buffer_.size() - consumed_; }

 private:
  void compact();

  size_t max_frame_bytes_;
  std::string buffer_;
  size_t consumed_ = 0;
};

}  // namespace ballast::api
