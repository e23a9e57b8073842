#include "healthcheck/check_socket.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>
#include <sys/socket.h>

#include "healthcheck/socket_error.h"

namespace ballast::healthcheck {
namespace {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;
using ErrorCode = boost::system::error_code;

// A loop that is later than this, and than the timeout itself, was held up; below, lateness is
// ordinary scheduling.
constexpr std::chrono::milliseconds kOrdinaryLateness{250};

Tcp::endpoint endpoint_of(const IpAddress& address, uint16_t port) {
  if (address.is_v4()) {
    return {asio::ip::address_v4(address.v4_bytes()), port};
  }
  return {asio::ip::address_v6(address.bytes()), port};
}

std::string to_string(std::chrono::milliseconds duration) {
  return duration.count() % 1000 == 0 ? fmt::format("{} s", duration.count() / 1000)
                                      : fmt::format("{} ms", duration.count());
}

// Opens without Asio, which would not set SOCK_CLOEXEC, and resets on close.
int open_socket(int family) {
  const int descriptor = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (descriptor >= 0) {
    const linger reset{1, 0};
    ::setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  }
  return descriptor;
}

}  // namespace

// Pending handlers share the ownership; after stop() they find `stopped_` and call nobody.
class CheckSocket::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(asio::io_context& loop, std::chrono::milliseconds timeout, OnFailed failed)
      : socket_(loop), deadline_(loop), timeout_(timeout), failed_(std::move(failed)) {}

  void connect(const Tcp::endpoint& endpoint, OnDone connected);
  void send(std::string bytes, std::string_view activity, OnDone sent);
  void receive(std::string_view activity, OnReceived received);
  void stop();

 private:
  std::optional<int> open(const Tcp::endpoint& endpoint);
  void start_deadline();
  void on_deadline();
  void fail(CheckResult result);
  void fail(const ErrorCode& error);
  [[nodiscard]] bool is_connected_to_itself() const;

  Tcp::socket socket_;
  asio::steady_timer deadline_;
  std::chrono::milliseconds timeout_;
  OnFailed failed_;
  std::string_view activity_;  // literals of the checkers; empty while connecting
  std::string outgoing_;
  std::array<char, 4096> incoming_{};
  bool stopped_ = false;
};

void CheckSocket::Connection::connect(const Tcp::endpoint& endpoint, OnDone connected) {
  start_deadline();
  if (const auto error = open(endpoint)) {
    asio::post(socket_.get_executor(), [self = shared_from_this(), error = *error] {
      self->fail(ErrorCode(error, boost::system::system_category()));
    });
    return;
  }
  socket_.async_connect(endpoint, [self = shared_from_this(),
                                   connected = std::move(connected)](const ErrorCode& error) {
    if (self->stopped_) {
      return;
    }
    if (error) {
      return self->fail(error);
    }
    if (self->is_connected_to_itself()) {
      return self->fail(ErrorCode(ECONNREFUSED, boost::system::system_category()));
    }
    connected();
  });
}

std::optional<int> CheckSocket::Connection::open(const Tcp::endpoint& endpoint) {
  const int descriptor = open_socket(endpoint.protocol().family());
  if (descriptor < 0) {
    return errno;
  }
  ErrorCode error;
  socket_.assign(endpoint.protocol(), descriptor, error);
  if (error) {
    ::close(descriptor);
    return error.value();
  }
  return std::nullopt;
}

// A port of this machine in the ephemeral range that nobody listens on can be given to the checking
// socket itself, and TCP's simultaneous open then succeeds.
bool CheckSocket::Connection::is_connected_to_itself() const {
  ErrorCode local_error;
  ErrorCode remote_error;
  const auto local = socket_.local_endpoint(local_error);
  const auto remote = socket_.remote_endpoint(remote_error);
  return !local_error && !remote_error && local == remote;
}

void CheckSocket::Connection::send(std::string bytes, std::string_view activity, OnDone sent) {
  activity_ = activity;
  outgoing_ = std::move(bytes);
  asio::async_write(
      socket_, asio::buffer(outgoing_),
      [self = shared_from_this(), sent = std::move(sent)](const ErrorCode& error, size_t) {
        if (self->stopped_) {
          return;
        }
        if (error) {
          return self->fail(error);
        }
        sent();
      });
}

void CheckSocket::Connection::receive(std::string_view activity, OnReceived received) {
  activity_ = activity;
  socket_.async_read_some(asio::buffer(incoming_),
                          [self = shared_from_this(), received = std::move(received)](
                              const ErrorCode& error, size_t length) {
                            if (self->stopped_) {
                              return;
                            }
                            if (error && error != asio::error::eof) {
                              return self->fail(error);
                            }
                            received(std::string_view(self->incoming_.data(), length));
                          });
}

void CheckSocket::Connection::stop() {
  stopped_ = true;
  deadline_.cancel();
  ErrorCode ignored;
  socket_.close(ignored);
}

void CheckSocket::Connection::start_deadline() {
  deadline_.expires_after(timeout_);
  deadline_.async_wait([self = shared_from_this()](const ErrorCode& error) {
    if (!error && !self->stopped_) {
      self->on_deadline();
    }
  });
}

void CheckSocket::Connection::on_deadline() {
  const auto late = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - deadline_.expiry());
  if (late > std::max(kOrdinaryLateness, timeout_)) {
    return fail(
        {Verdict::kInconclusive,
         fmt::format("could not check: the event loop was held up for {} ms", late.count())});
  }
  fail({Verdict::kUnhealthy, fmt::format("timed out after {} while {}", to_string(timeout_),
                                         activity_.empty() ? "connecting" : activity_)});
}

void CheckSocket::Connection::fail(const ErrorCode& error) {
  fail(result_of_socket_error(error.value(), activity_));
}

void CheckSocket::Connection::fail(CheckResult result) {
  if (stopped_) {
    return;
  }
  stop();
  const OnFailed failed = std::move(failed_);
  failed(std::move(result));
}

CheckSocket::CheckSocket(asio::io_context& loop, std::chrono::milliseconds timeout, OnFailed failed)
    : connection_(std::make_shared<Connection>(loop, timeout, std::move(failed))) {}

CheckSocket::~CheckSocket() {
  connection_->stop();
}

void CheckSocket::connect(const IpAddress& address, uint16_t port, OnDone connected) {
  connection_->connect(endpoint_of(address, port), std::move(connected));
}

void CheckSocket::send(std::string bytes, std::string_view activity, OnDone sent) {
  connection_->send(std::move(bytes), activity, std::move(sent));
}

void CheckSocket::receive(std::string_view activity, OnReceived received) {
  connection_->receive(activity, std::move(received));
}

}  // namespace ballast::healthcheck
