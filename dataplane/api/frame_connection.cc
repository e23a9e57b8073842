#include "dataplane/api/frame_connection.h"

#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

namespace ballast::api {

using boost::system::error_code;

void FrameConnection::start(OnFrame on_frame, OnClose on_close) {
  on_frame_ = std::move(on_frame);
  on_close_ = std::move(on_close);
  read();
}

tl::expected<void, std::string> FrameConnection::send(
    const google::protobuf::MessageLite& message) {
  if (closed_ || closing_) {
    return {};
  }
  std::string frame;
  if (auto appended = append_frame(frame, message); !appended) {
    return appended;
  }
  if (outgoing_bytes_ + frame.size() > max_outgoing_bytes_) {
    close(fmt::format("does not read: {} bytes wait for it, at most {} may", outgoing_bytes_,
                      max_outgoing_bytes_));
    return {};
  }
  outgoing_bytes_ += frame.size();
  outgoing_.push_back(std::move(frame));
  write();
  return {};
}

void FrameConnection::pause() {
  paused_ = true;
}

void FrameConnection::resume() {
  if (!std::exchange(paused_, false) || closed_ || closing_) {
    return;
  }
  // Posted: the owner may be inside on_frame or anywhere else.
  boost::asio::post(socket_.get_executor(), [self = shared_from_this()] {
    self->give_out();
    self->read();
  });
}

void FrameConnection::close(const std::string& reason) {
  if (closed_) {
    return;
  }
  closed_ = true;
  error_code ignored;
  socket_.close(ignored);
  outgoing_bytes_ = 0;
  boost::asio::post(socket_.get_executor(), [self = shared_from_this(), reason] {
    const OnClose on_close = std::exchange(self->on_close_, nullptr);
    self->on_frame_ = nullptr;
    if (on_close) {
      on_close(reason);
    }
  });
}

void FrameConnection::close_when_sent(const std::string& reason) {
  closing_ = true;
  reason_when_sent_ = reason;
  if (outgoing_.empty()) {
    close(reason);
  }
}

void FrameConnection::abandon() {
  on_close_ = nullptr;
  close({});
}

void FrameConnection::read() {
  if (reading_ || paused_ || closed_ || closing_) {
    return;
  }
  reading_ = true;
  socket_.async_read_some(boost::asio::buffer(input_), [self = shared_from_this()](
                                                           const error_code& error, size_t bytes) {
    self->reading_ = false;
    if (self->closed_ || self->closing_) {
      return;
    }
    if (error == boost::asio::error::eof) {
      self->close(self->decoder_.pending_bytes() == 0 ? "closed the connection"
                                                      : "closed the connection inside a frame");
    } else if (error) {
      self->close(error.message());
    } else {
      self->received(bytes);
    }
  });
}

void FrameConnection::received(size_t bytes) {
  decoder_.feed({input_.data(), bytes});
  give_out();
  read();
}

void FrameConnection::give_out() {
  if (giving_out_) {
    return;
  }
  giving_out_ = true;
  while (!paused_ && !closed_ && !closing_) {
    const auto payload = decoder_.next();
    if (!payload) {
      close(payload.error());
    } else if (!payload->has_value()) {
      break;
    } else {
      on_frame_(**payload);
    }
  }
  giving_out_ = false;
}

void FrameConnection::write() {
  if (writing_ || outgoing_.empty() || closed_) {
    return;
  }
  writing_ = true;
  boost::asio::async_write(socket_, boost::asio::buffer(outgoing_.front()),
                           [self = shared_from_this()](const error_code& error, size_t) {
                             self->writing_ = false;
                             if (self->closed_) {
                               return;
                             }
                             if (error) {
                               self->close(error.message());
                             } else {
                               self->written();
                             }
                           });
}

void FrameConnection::written() {
  outgoing_bytes_ -= outgoing_.front().size();
  outgoing_.pop_front();
  if (closing_ && outgoing_.empty()) {
    close(reason_when_sent_);
  } else {
    write();
  }
}

}  // namespace ballast::api
