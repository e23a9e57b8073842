#include "control/api/client.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/api/handler.h"
#include "control/api/unix_address.h"

namespace ballast::control {
namespace {

using Clock = ControlClient::Clock;
using Kind = ClientError::Kind;

ClientError error_of(Kind kind, std::string message) {
  return {kind, std::move(message), {}};
}

// Waits until the descriptor is ready for `events`; false: the deadline came first.
bool wait_for(int descriptor, short events, Clock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) {
      return false;
    }
    constexpr long kLongestWait = 3'600'000;
    pollfd wait{descriptor, events, 0};
    const int ready = poll(&wait, 1, static_cast<int>(std::min<long>(left, kLongestWait)));
    if (ready > 0 || (ready < 0 && errno != EINTR)) {
      return true;  // an error shows in the next call
    }
  }
}

std::string group_of(const std::string& path) {
  struct stat found {};
  if (stat(path.c_str(), &found) != 0) {
    return {};
  }
  const group* entry = getgrgid(found.st_gid);
  return entry != nullptr ? entry->gr_name : std::to_string(found.st_gid);
}

ClientError connect_error(const std::string& path, int error) {
  switch (error) {
    case ENOENT:
      return error_of(Kind::kNotRunning,
                      fmt::format("ballastd is not running (no socket {}): start it with "
                                  "\"systemctl start ballastd\", or name another socket with "
                                  "--socket",
                                  path));
    case ECONNREFUSED:
      return error_of(Kind::kNotRunning,
                      fmt::format("ballastd is not running (nobody listens on {}): start it with "
                                  "\"systemctl start ballastd\", or name another socket with "
                                  "--socket",
                                  path));
    case EACCES:
    case EPERM: {
      const std::string group = group_of(path);
      return error_of(Kind::kPermission,
                      group.empty()
                          ? fmt::format("permission denied on {}: use sudo", path)
                          : fmt::format("permission denied on {}: use sudo, or become a member of "
                                        "the group \"{}\"",
                                        path, group));
    }
    case ENOTSOCK:
      return error_of(Kind::kNotRunning, fmt::format("{}: is not a socket", path));
    default:
      return error_of(Kind::kBroken, fmt::format("{}: connect: {}", path, std::strerror(error)));
  }
}

ClientError timed_out(const std::string& path) {
  return error_of(Kind::kTimeout, fmt::format("ballastd does not answer on {}: it hangs or is very "
                                              "busy: see its log, or wait longer with --timeout",
                                              path));
}

}  // namespace

tl::expected<ControlClient, ClientError> ControlClient::connect(const std::string& path,
                                                                Clock::time_point deadline) {
  const auto address = UnixAddress::of(path);
  if (!address) {
    return tl::unexpected(error_of(Kind::kNotRunning, address.error()));
  }
  const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) {
    return tl::unexpected(connect_error(path, errno));
  }
  ControlClient client(descriptor, path);
  while (::connect(descriptor, address->get(), address->size()) != 0) {
    if (errno != EAGAIN && errno != EINTR) {
      return tl::unexpected(connect_error(path, errno));
    }
    // The backlog is full, and poll(2) does not tell when it no longer is.
    if (Clock::now() >= deadline) {
      return tl::unexpected(timed_out(path));
    }
    poll(nullptr, 0, 10);
  }
  return client;
}

ControlClient::ControlClient(ControlClient&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      path_(std::move(other.path_)),
      last_id_(other.last_id_),
      decoder_(std::move(other.decoder_)) {}

ControlClient& ControlClient::operator=(ControlClient&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(path_, other.path_);
  std::swap(last_id_, other.last_id_);
  std::swap(decoder_, other.decoder_);
  return *this;
}

ControlClient::~ControlClient() {
  if (descriptor_ >= 0) {
    close(descriptor_);
  }
}

ClientError ControlClient::broken(const std::string& why) const {
  return error_of(Kind::kBroken, fmt::format("connection to ballastd on {}: {}", path_, why));
}

tl::expected<void, ClientError> ControlClient::send(const std::string& frame,
                                                    Clock::time_point deadline) {
  size_t sent = 0;
  while (sent < frame.size()) {
    const ssize_t count =
        ::send(descriptor_, frame.data() + sent, frame.size() - sent, MSG_NOSIGNAL);
    if (count >= 0) {
      sent += static_cast<size_t>(count);
    } else if (errno == EPIPE || errno == ECONNRESET) {
      return {};  // it has hung up, perhaps after saying why: that is read next
    } else if (errno != EAGAIN && errno != EINTR) {
      return tl::unexpected(broken(std::strerror(errno)));
    } else if (!wait_for(descriptor_, POLLOUT, deadline)) {
      return tl::unexpected(timed_out(path_));
    }
  }
  return {};
}

tl::expected<api::Answer, ClientError> ControlClient::receive(Clock::time_point deadline) {
  std::array<char, 65536> input{};
  for (;;) {
    api::Answer answer;
    const auto complete = decoder_.next(answer);
    if (!complete) {
      return tl::unexpected(broken(complete.error()));
    }
    if (*complete) {
      return answer;
    }
    const ssize_t count = recv(descriptor_, input.data(), input.size(), 0);
    if (count > 0) {
      decoder_.feed(std::string_view(input.data(), static_cast<size_t>(count)));
    } else if (count == 0 || errno == ECONNRESET) {
      return tl::unexpected(broken("it ended before the answer: see ballastd's log"));
    } else if (errno != EAGAIN && errno != EINTR) {
      return tl::unexpected(broken(std::strerror(errno)));
    } else if (!wait_for(descriptor_, POLLIN, deadline)) {
      return tl::unexpected(timed_out(path_));
    }
  }
}

tl::expected<api::Answer, ClientError> ControlClient::call(api::Request request,
                                                           Clock::time_point deadline) {
  request.set_id(++last_id_);
  std::string frame;
  if (auto framed = ballast::api::append_frame(frame, request, kMaxControlRequest); !framed) {
    return tl::unexpected(ClientError{Kind::kFailure, framed.error(),
                                      failure(api::Failure::TOO_LARGE, framed.error())});
  }
  if (auto sent = send(frame, deadline); !sent) {
    return tl::unexpected(sent.error());
  }
  auto answer = receive(deadline);
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  if (answer->has_failure()) {  // one that came before the request was read has no id
    return tl::unexpected(
        ClientError{Kind::kFailure, answer->failure().message(), answer->failure()});
  }
  if (answer->id() != last_id_) {
    return tl::unexpected(broken("the answer is to another request"));
  }
  if (answer->answer_case() == api::Answer::ANSWER_NOT_SET) {
    return tl::unexpected(broken("the answer is of a kind that this ballastctl does not know"));
  }
  return std::move(*answer);
}

}  // namespace ballast::control
