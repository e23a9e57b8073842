#include "control/api/server.h"

#include <unordered_map>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

#include "control/api/connection.h"
#include "control/api/control_socket.h"

namespace ballast::control {

namespace asio = boost::asio;
using boost::system::error_code;

class ControlServer::Impl : public std::enable_shared_from_this<ControlServer::Impl> {
 public:
  Impl(asio::io_context& loop, ControlHandler& handler, ControlServerOptions options,
       ballast::api::UnixListener listener)
      : options_(std::move(options)),
        handler_(handler),
        listener_(std::move(listener)),
        acceptor_(loop, asio::local::stream_protocol(), listener_.release_descriptor()),
        pause_(loop) {}

  void accept() {
    acceptor_.async_accept(
        [weak = weak_from_this()](error_code error, ControlConnection::Socket socket) {
          auto self = weak.lock();
          if (!self || !self->acceptor_.is_open()) {
            return;
          }
          if (error) {
            self->accept_later(error);
            return;
          }
          self->admit(std::move(socket));
          self->accept();
        });
  }

  void close() {
    error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
    auto connections = std::exchange(connections_, {});
    for (auto& [key, connection] : connections) {
      connection->close();
    }
  }

  [[nodiscard]] size_t connections() const { return connections_.size(); }

 private:
  // Out of descriptors, most likely: the kernel reports that at once again and again.
  void accept_later(error_code error) {
    if (options_.log && !std::exchange(accept_failing_, true)) {
      options_.log(fmt::format("{}: accept: {}", options_.path, error.message()));
    }
    pause_.expires_after(std::chrono::milliseconds(100));
    pause_.async_wait([weak = weak_from_this()](error_code cancelled) {
      if (auto self = weak.lock(); self && !cancelled) {
        self->accept();
      }
    });
  }

  void admit(ControlConnection::Socket socket) {
    accept_failing_ = false;
    // Those who are told that there is no room take room themselves until they have read it.
    const bool full = connections_.size() >= options_.max_connections;
    if (connections_.size() >= 2 * options_.max_connections) {
      return;
    }
    auto connection =
        std::make_shared<ControlConnection>(std::move(socket), options_, handler_,
                                            [weak = weak_from_this()](ControlConnection* closed) {
                                              if (auto self = weak.lock()) {
                                                self->connections_.erase(closed);
                                              }
                                            });
    connections_.emplace(connection.get(), connection);
    if (full) {
      connection->refuse(failure(
          api::Failure::BUSY,
          fmt::format("ballastd has {} connections already: try again", options_.max_connections)));
      return;
    }
    connection->start();
  }

  const ControlServerOptions options_;
  ControlHandler& handler_;
  ballast::api::UnixListener listener_;
  asio::local::stream_protocol::acceptor acceptor_;
  asio::steady_timer pause_;
  bool accept_failing_ = false;
  std::unordered_map<ControlConnection*, std::shared_ptr<ControlConnection>> connections_;
};

tl::expected<ControlServer, std::string> ControlServer::listen(asio::io_context& loop,
                                                               ControlHandler& handler,
                                                               ControlServerOptions options) {
  auto listener = open_control_socket(options.path, options.mode, options.group);
  if (!listener) {
    return tl::unexpected(listener.error());
  }
  auto impl = std::make_shared<Impl>(loop, handler, std::move(options), std::move(*listener));
  impl->accept();
  return ControlServer(std::move(impl));
}

ControlServer::ControlServer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
ControlServer::ControlServer(ControlServer&&) noexcept = default;

ControlServer& ControlServer::operator=(ControlServer&& other) noexcept {
  if (this != &other) {
    if (impl_) {
      impl_->close();
    }
    impl_ = std::move(other.impl_);
  }
  return *this;
}

ControlServer::~ControlServer() {
  if (impl_) {
    impl_->close();
  }
}

size_t ControlServer::connections() const {
  return impl_->connections();
}

}  // namespace ballast::control
