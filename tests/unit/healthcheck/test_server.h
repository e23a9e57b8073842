// A server on loopback that does what a test tells it, on the test's own event loop.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "dataplane/packet/address.h"

namespace ballast::healthcheck {

inline constexpr IpAddress kLoopback4 = IpAddress::v4({127, 0, 0, 1});
inline constexpr IpAddress kLoopback6 =
    IpAddress::v6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});

// Runs the loop until `done` says so. False after 20 s: the test has failed.
template <typename Done>
bool run_until(boost::asio::io_context& loop, Done done) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  loop.restart();
  while (!done()) {
    if (std::chrono::steady_clock::now() > give_up) {
      return false;
    }
    loop.run_one_for(std::chrono::milliseconds(100));
    if (loop.stopped()) {
      loop.restart();
    }
  }
  return true;
}

class TestServer {
 public:
  using Tcp = boost::asio::ip::tcp;

  // What it does with a connection, after it has read as far as the end of a request's header.
  struct Script {
    bool reads = true;     // false: answers at once
    std::string answer{};  // sent, in pieces of `piece`
    size_t piece = SIZE_MAX;
    std::chrono::milliseconds pause{0};  // before each piece but the first
    bool closes = true;                  // false: stays open after the answer
    bool resets = false;                 // closes with a reset
  };

  TestServer(boost::asio::io_context& loop, Script script, const IpAddress& address = kLoopback4)
      : acceptor_(loop, endpoint_of(address)), script_(std::move(script)) {
    accept();
  }
  ~TestServer() { acceptor_.close(); }

  [[nodiscard]] uint16_t port() const { return acceptor_.local_endpoint().port(); }
  [[nodiscard]] const std::string& last_request() const { return *last_request_; }
  [[nodiscard]] int accepted() const { return accepted_; }
  void set_script(Script script) { script_ = std::move(script); }

 private:
  struct Session : std::enable_shared_from_this<Session> {
    Session(Tcp::socket accepted, Script what, std::shared_ptr<std::string> where)
        : socket(std::move(accepted)),
          timer(socket.get_executor()),
          script(std::move(what)),
          last_request(std::move(where)) {}

    void read() {
      socket.async_read_some(boost::asio::buffer(buffer),
                             [self = shared_from_this()](auto error, size_t length) {
                               if (error) {
                                 return;
                               }
                               self->request.append(self->buffer.data(), length);
                               if (self->request.find("\r\n\r\n") == std::string::npos) {
                                 return self->read();
                               }
                               *self->last_request = self->request;
                               self->write();
                             });
    }

    void write() {
      if (sent >= script.answer.size()) {
        return finish();
      }
      const size_t length = std::min(script.piece, script.answer.size() - sent);
      boost::asio::async_write(socket, boost::asio::buffer(script.answer.data() + sent, length),
                               [self = shared_from_this(), length](auto error, size_t) {
                                 self->sent += length;
                                 if (!error) {
                                   self->pause();
                                 }
                               });
    }

    void pause() {
      timer.expires_after(sent < script.answer.size() ? script.pause
                                                      : std::chrono::milliseconds(0));
      timer.async_wait([self = shared_from_this()](auto) { self->write(); });
    }

    void finish() {
      if (script.resets) {
        socket.set_option(boost::asio::socket_base::linger(true, 0));
        socket.close();
      } else if (!script.closes) {
        // Holds the connection open until the peer ends it.
        socket.async_read_some(boost::asio::buffer(buffer),
                               [self = shared_from_this()](auto error, size_t) {
                                 if (!error) {
                                   self->finish();
                                 }
                               });
      }
    }

    Tcp::socket socket;
    boost::asio::steady_timer timer;
    Script script;
    std::shared_ptr<std::string> last_request;
    std::array<char, 4096> buffer{};
    std::string request;
    size_t sent = 0;
  };

  static Tcp::endpoint endpoint_of(const IpAddress& address) {
    if (address.is_v4()) {
      return {boost::asio::ip::address_v4(address.v4_bytes()), 0};
    }
    return {boost::asio::ip::address_v6(address.bytes()), 0};
  }

  void accept() {
    acceptor_.async_accept([this](auto error, Tcp::socket socket) {
      if (error == boost::asio::error::operation_aborted) {
        return;
      }
      if (!error) {
        ++accepted_;
        const auto session = std::make_shared<Session>(std::move(socket), script_, last_request_);
        if (script_.reads) {
          session->read();
        } else {
          session->write();
        }
      }
      accept();
    });
  }

  Tcp::acceptor acceptor_;
  Script script_;
  std::shared_ptr<std::string> last_request_ = std::make_shared<std::string>();
  int accepted_ = 0;
};

// A port that refuses: bound, so that nobody else gets it, and not listened on.
class RefusingPort {
 public:
  explicit RefusingPort(boost::asio::io_context& loop) : socket_(loop, boost::asio::ip::tcp::v4()) {
    socket_.bind({boost::asio::ip::address_v4::loopback(), 0});
  }
  [[nodiscard]] uint16_t port() const { return socket_.local_endpoint().port(); }

 private:
  boost::asio::ip::tcp::socket socket_;
};

// A port whose queue of connections is full, so that a handshake never ends.
class SilentPort {
 public:
  explicit SilentPort(boost::asio::io_context& loop) : acceptor_(loop, boost::asio::ip::tcp::v4()) {
    acceptor_.bind({boost::asio::ip::address_v4::loopback(), 0});
    acceptor_.listen(0);
    for (int count = 0; count < 8; ++count) {
      fillers_.emplace_back(loop, boost::asio::ip::tcp::v4());
      fillers_.back().async_connect(acceptor_.local_endpoint(), [](auto) {});
    }
  }
  [[nodiscard]] uint16_t port() const { return acceptor_.local_endpoint().port(); }

 private:
  boost::asio::ip::tcp::acceptor acceptor_;
  std::vector<boost::asio::ip::tcp::socket> fillers_;
};

}  // namespace ballast::healthcheck
