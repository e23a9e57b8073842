#include "dataplane/api/framing.h"

#include <cstring>

#include <fmt/format.h>
#include <google/protobuf/message_lite.h>

#include "dataplane/packet/byte_order.h"

namespace ballast::api {
namespace {

// A buffer that once held a large frame is given back when it is empty again.
constexpr size_t kKeptCapacity = size_t{1} << 20;

}  // namespace

tl::expected<void, std::string> append_frame(std::string& out,
                                             const google::protobuf::MessageLite& message,
                                             size_t max_frame_bytes) {
  const size_t length = message.ByteSizeLong();
  if (length > max_frame_bytes) {
    return tl::unexpected(fmt::format("frame: {} has {} bytes: at most {} are allowed",
                                      message.GetTypeName(), length, max_frame_bytes));
  }
  const Big32 header = Big32::from_host(static_cast<uint32_t>(length));
  const size_t begin = out.size();
  out.resize(begin + kFrameHeaderBytes + length);
  std::memcpy(out.data() + begin, &header, kFrameHeaderBytes);
  message.SerializeWithCachedSizesToArray(
      reinterpret_cast<uint8_t*>(out.data() + begin + kFrameHeaderBytes));
  return {};
}

tl::expected<void, std::string> parse_message(std::string_view payload,
                                              google::protobuf::MessageLite& message) {
  if (payload.size() > kMaxFrameBytes ||
      !message.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
    return tl::unexpected(
        fmt::format("frame: its {} bytes are not a {}", payload.size(), message.GetTypeName()));
  }
  return {};
}

void FrameDecoder::feed(std::string_view bytes) {
  compact();
  buffer_.append(bytes);
}

tl::expected<std::optional<std::string_view>, std::string> FrameDecoder::next() {
  if (pending_bytes() < kFrameHeaderBytes) {
    return std::nullopt;
  }
  Big32 header;
  std::memcpy(&header, buffer_.data() + consumed_, kFrameHeaderBytes);
  const size_t length = header.to_host();
  if (length > max_frame_bytes_) {
    return tl::unexpected(fmt::format(
        "frame: length {} is out of range (0-{}): the peer does not speak this protocol", length,
        max_frame_bytes_));
  }
  if (pending_bytes() < kFrameHeaderBytes + length) {
    return std::nullopt;
  }
  const std::string_view payload(buffer_.data() + consumed_ + kFrameHeaderBytes, length);
  consumed_ += kFrameHeaderBytes + length;
  return payload;
}

tl::expected<bool, std::string> FrameDecoder::next(google::protobuf::MessageLite& message) {
  const auto payload = next();
  if (!payload) {
    return tl::unexpected(payload.error());
  }
  if (!payload->has_value()) {
    return false;
  }
  if (auto parsed = parse_message(**payload, message); !parsed) {
    return tl::unexpected(std::move(parsed.error()));
  }
  return true;
}

// Moves what is left to the front once that is less than what was consumed, so that every byte is
// moved at most once.
void FrameDecoder::compact() {
  if (consumed_ == buffer_.size()) {
    buffer_.clear();
    consumed_ = 0;
    if (buffer_.capacity() > kKeptCapacity) {
      buffer_.shrink_to_fit();
    }
  } else if (consumed_ >= pending_bytes()) {
    buffer_.erase(0, consumed_);
    consumed_ = 0;
  }
}

}  // namespace ballast::api
