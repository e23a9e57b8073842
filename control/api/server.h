// The unix socket on which ballastd listens for ballastctl.
//
// It lives in ballastd's event loop and never blocks it. A connection carries one request at a
// time: the next one is read when the answer has been sent, so a peer that asks without listening
// holds up only itself. Everything is bounded: the number of connections, the size of a request and
// of an answer, how long a connection may be idle, be in the middle of a frame, or leave an answer
// unread, and how long a handler may take.
//
// The socket's file is the door: its mode and group say who may ask. Next to it a lock file
// (PATH.lock) says that a ballastd lives, so that of two that start at the same moment one loses; a
// socket without a living owner is replaced.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include <sys/types.h>
#include <tl/expected.hpp>

#include "control/api/limits.h"

namespace boost::asio {
class io_context;
}

namespace ballast::control {

class ControlHandler;

struct ControlServerOptions {
  std::string path{kDefaultControlSocket};
  mode_t mode = 0660;
  std::string group;  // that the socket is given to; empty: the process's own
  size_t max_connections = 64;
  size_t max_request_bytes = kMaxControlRequest;
  size_t max_answer_bytes = kMaxControlAnswer;
  std::chrono::milliseconds idle_timeout{
      60'000};  // between frames, within one, and for an answer to be read
  std::chrono::milliseconds request_timeout{30'000};  // for the handler
  std::function<void(const std::string&)> log;  // changes and who asked for them; refused peers
};

class ControlServer {
 public:
  // Listens. An error is a sentence with the path in it. `loop` and `handler` outlive the server.
  static tl::expected<ControlServer, std::string> listen(boost::asio::io_context& loop,
                                                         ControlHandler& handler,
                                                         ControlServerOptions options);

  ControlServer(ControlServer&&) noexcept;
  ControlServer& operator=(ControlServer&&) noexcept;
  ~ControlServer();  // closes all connections and removes the socket; late callbacks are ignored

  [[nodiscard]] size_t connections() const;

 private:
  class Impl;
  explicit ControlServer(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace ballast::control
