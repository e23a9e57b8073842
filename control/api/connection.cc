#include "control/api/connection.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>
#include <sys/socket.h>

#include "control/api/dispatch.h"
#include "control/api/printable.h"

namespace ballast::control {

namespace asio = boost::asio;
using boost::system::error_code;

ControlConnection::ControlConnection(Socket socket, const ControlServerOptions& options,
                                     ControlHandler& handler,
                                     std::function<void(ControlConnection*)> closed)
    : socket_(std::move(socket)),
      timer_(socket_.get_executor()),
      options_(options),
      handler_(handler),
      closed_(std::move(closed)),
      decoder_(options.max_request_bytes) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(socket_.native_handle(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0) {
    peer_.pid = credentials.pid;
    peer_.uid = credentials.uid;
    peer_.gid = credentials.gid;
  }
}

void ControlConnection::start() {
  // Not armed anew by every byte: a request that drips in is cut off as well.
  arm(options_.idle_timeout, &ControlConnection::close);
  next_request();
}

void ControlConnection::refuse(api::Failure failure) {
  fail_and_close(std::move(failure));
}

void ControlConnection::close() {
  if (!socket_.is_open()) {
    return;
  }
  error_code ignored;
  timer_.cancel();
  socket_.close(ignored);
  ++serial_;
  if (auto closed = std::exchange(closed_, nullptr)) {
    closed(this);
  }
}

void ControlConnection::arm(std::chrono::milliseconds timeout,
                            void (ControlConnection::*expired)()) {
  timer_.expires_after(timeout);
  // A wait that has ended but has not been called yet cannot be cancelled: the serial tells it from
  // the present one.
  timer_.async_wait(
      [self = shared_from_this(), serial = ++timer_serial_, expired](error_code error) {
        if (!error && serial == self->timer_serial_ && self->socket_.is_open()) {
          ((*self).*expired)();
        }
      });
}

// What has arrived behind the request before comes first.
void ControlConnection::next_request() {
  const auto payload = decoder_.next();
  if (!payload) {
    log(fmt::format("{}: refused: {}", peer_.to_string(), payload.error()));
    fail_and_close(failure(api::Failure::TOO_LARGE, payload.error()));
  } else if (payload->has_value()) {
    handle(**payload);
  } else {
    read_more();
  }
}

void ControlConnection::read_more() {
  socket_.async_read_some(asio::buffer(input_),
                          [self = shared_from_this()](error_code error, size_t count) {
                            if (error) {
                              self->close();
                              return;
                            }
                            self->decoder_.feed(std::string_view(self->input_.data(), count));
                            self->next_request();
                          });
}

void ControlConnection::handle(std::string_view payload) {
  api::Request request;
  if (auto parsed = ballast::api::parse_message(payload, request); !parsed) {
    log(fmt::format("{}: refused: {}", peer_.to_string(), parsed.error()));
    fail_and_close(failure(api::Failure::INVALID, parsed.error()));
    return;
  }
  constexpr size_t kLongestClientName = 100;
  peer_.client = printable(request.client().substr(0, kLongestClientName));
  if (const std::string change = printable(change_requested(request)); !change.empty()) {
    log(fmt::format("{} by {}", change, peer_.to_string()));
  }
  arm(options_.request_timeout, &ControlConnection::handler_is_late);
  request_id_ = request.id();
  dispatch(handler_, peer_, request,
           [weak = weak_from_this(), serial = ++serial_](api::Answer answer) {
             if (auto self = weak.lock()) {
               self->answer(serial, std::move(answer), false);
             }
           });
}

void ControlConnection::answer(uint64_t serial, api::Answer answer, bool last) {
  if (serial != serial_ || !socket_.is_open()) {
    return;
  }
  ++serial_;
  frame_.clear();
  if (auto framed = ballast::api::append_frame(frame_, answer, options_.max_answer_bytes);
      !framed) {
    answer.clear_answer();
    *answer.mutable_failure() =
        failure(api::Failure::TOO_LARGE, framed.error() + ": ask for less at once");
    frame_.clear();
    (void)ballast::api::append_frame(frame_, answer);
  }
  arm(options_.idle_timeout, &ControlConnection::close);
  asio::async_write(socket_, asio::buffer(frame_),
                    [self = shared_from_this(), last](error_code error, size_t) {
                      self->frame_ = {};
                      if (error || last) {
                        self->close();
                        return;
                      }
                      self->start();
                    });
}

void ControlConnection::fail_and_close(api::Failure failure) {
  api::Answer refusal;
  refusal.set_id(request_id_);
  *refusal.mutable_failure() = std::move(failure);
  answer(++serial_, std::move(refusal), true);
}

void ControlConnection::handler_is_late() {
  fail_and_close(failure(
      api::Failure::TIMED_OUT,
      fmt::format(
          "no result within {} s",
          std::chrono::duration_cast<std::chrono::seconds>(options_.request_timeout).count())));
}

void ControlConnection::log(const std::string& text) const {
  if (options_.log) {
    options_.log(text);
  }
}

}  // namespace ballast::control
