// One TCP connection of one check, under one deadline; what checkers are built from.
//
// Example, the whole of a checker that waits for a banner:
//   socket.connect(address, port, [this] {
//     socket.receive("waiting for the banner", [this](std::string_view bytes) { ... });
//   });
//
// Whatever goes wrong (an error, the deadline) is reported once through `failed`, as a result with
// a text for people. The deadline is total: it starts with connect() and nothing extends it, so a
// server that drips a byte at a time is as late as one that is silent. Should the event loop itself
// have been held up for longer than the timeout, the result is inconclusive: nobody was there to
// see the answer.
//
// The connection ends with a reset (SO_LINGER 0), as HAProxy's and keepalived's checks do: an
// orderly close leaves a TIME_WAIT socket for a minute on the side that closes first, which is this
// one, and thousands of checks a second would fill the kernel's table of them
// (net.ipv4.tcp_max_tw_buckets).
//
// Callbacks come from the event loop, never from inside a call to this object, and none comes after
// it is destroyed; a callback may destroy it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "dataplane/packet/address.h"
#include "healthcheck/check_result.h"

namespace boost::asio {
class io_context;
}

namespace ballast::healthcheck {

class CheckSocket {
 public:
  using OnFailed = std::function<void(CheckResult)>;
  using OnDone = std::function<void()>;
  using OnReceived = std::function<void(std::string_view bytes)>;

  CheckSocket(boost::asio::io_context& loop, std::chrono::milliseconds timeout, OnFailed failed);
  ~CheckSocket();
  CheckSocket(const CheckSocket&) = delete;
  CheckSocket& operator=(const CheckSocket&) = delete;

  // Once, and first.
  void connect(const IpAddress& address, uint16_t port, OnDone connected);

  // `activity` is for the text of an error: "timed out after 1 s while {activity}".
  void send(std::string bytes, std::string_view activity, OnDone sent);

  // Some bytes, at most 4096, valid during the callback; none at the end of the stream.
  void receive(std::string_view activity, OnReceived received);

  class Connection;

 private:
  std::shared_ptr<Connection> connection_;
};

}  // namespace ballast::healthcheck
