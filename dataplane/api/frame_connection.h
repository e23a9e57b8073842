// One unix stream connection that carries frames: what server, client and ballastd's own API have
// in common.
//
// Theory of operation
//   Reads go on by themselves while reading is not paused; every whole frame is given to
//   `on_frame`. Writes are queued and bounded: a peer that does not read is disconnected when the
//   bound is passed, so that it costs nothing but that memory. `on_close` is called once, never
//   from inside a call of the owner's, with the reason as a sentence; not at all after abandon().
//   The object lives as long as an operation of it is under way, hence shared_ptr; the callbacks
//   are dropped on close, so that they may hold whatever they like.
//
// This header pulls in Asio: include it from .cc files only.
#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/local/stream_protocol.hpp>
#include <tl/expected.hpp>

#include "dataplane/api/framing.h"

namespace ballast::api {

class FrameConnection : public std::enable_shared_from_this<FrameConnection> {
 public:
  using Socket = boost::asio::local::stream_protocol::socket;
  using OnFrame = std::function<void(std::string_view payload)>;
  using OnClose = std::function<void(const std::string& reason)>;

  FrameConnection(Socket socket, size_t max_outgoing_bytes)
      : socket_(std::move(socket)), max_outgoing_bytes_(max_outgoing_bytes) {}

  void start(OnFrame on_frame, OnClose on_close);

  // An error when the message is too long for a frame: nothing is sent then. On a closed connection
  // nothing happens.
  tl::expected<void, std::string> send(const google::protobuf::MessageLite& message);

  // While paused nothing is read and no frame is given out. Frames that arrived already come after
  // resume().
  void pause();
  void resume();

  void close(const std::string& reason);
  // Reads no more, closes when all that waits is sent.
  void close_when_sent(const std::string& reason);
  // Closes without calling back.
  void abandon();

  [[nodiscard]] size_t outgoing_bytes() const { return outgoing_bytes_; }
  [[nodiscard]] bool closed() const { return closed_; }

 private:
  void read();
  void received(size_t bytes);
  void give_out();
  void write();
  void written();

  Socket socket_;
  size_t max_outgoing_bytes_;
  OnFrame on_frame_;
  OnClose on_close_;
  FrameDecoder decoder_;
  std::array<char, 65536> input_{};
  std::deque<std::string> outgoing_;
  size_t outgoing_bytes_ = 0;
  std::string reason_when_sent_;
  bool writing_ = false;
  bool reading_ = false;
  bool giving_out_ = false;
  bool paused_ = false;
  bool closing_ = false;  // when all is sent
  bool closed_ = false;
};

}  // namespace ballast::api
