// One client of the control socket: read a request, have it answered, write the answer, again.
// Private to the server.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

#include "control/api/handler.h"
#include "control/api/server.h"
#include "dataplane/api/framing.h"

namespace ballast::control {

class ControlConnection : public std::enable_shared_from_this<ControlConnection> {
 public:
  using Socket = boost::asio::local::stream_protocol::socket;

  // `options` and `handler` outlive the connection being open; `closed` is called once, when it no
  // longer is.
  ControlConnection(Socket socket, const ControlServerOptions& options, ControlHandler& handler,
                    std::function<void(ControlConnection*)> closed);

  void start();
  void refuse(api::Failure failure);  // instead of start(): says why and closes
  void close();

 private:
  void next_request();
  void read_more();
  void handle(std::string_view payload);
  void answer(uint64_t serial, api::Answer answer, bool last);
  void fail_and_close(api::Failure failure);
  // Ends whatever the timer waited for before.
  void arm(std::chrono::milliseconds timeout, void (ControlConnection::*expired)());
  void handler_is_late();
  void log(const std::string& text) const;

  Socket socket_;
  boost::asio::steady_timer timer_;
  const ControlServerOptions& options_;
  ControlHandler& handler_;
  std::function<void(ControlConnection*)> closed_;
  Peer peer_;
  std::array<char, 16384> input_{};
  ballast::api::FrameDecoder decoder_;
  std::string frame_;    // that is written
  uint64_t serial_ = 0;  // of the request under way: answers to earlier ones are late
  uint64_t request_id_ = 0;
  uint64_t timer_serial_ = 0;
};

}  // namespace ballast::control
