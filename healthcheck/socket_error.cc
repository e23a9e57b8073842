#include "healthcheck/socket_error.h"

#include <cerrno>
#include <string>
#include <system_error>

#include <fmt/format.h>

namespace ballast::healthcheck {
namespace {

bool is_own(int error) {
  switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case ENOSPC:  // epoll: max_user_watches
    case EADDRNOTAVAIL:
    case EADDRINUSE:
    case EAGAIN:
    case EPERM:         // a local packet filter or cgroup program
    case EAFNOSUPPORT:  // IPv6 is switched off
    case EPROTONOSUPPORT:
      return true;
    default:
      return false;
  }
}

std::string description(int error) {
  switch (error) {
    case ECONNREFUSED:
      return "connection refused";
    case ECONNRESET:
    case EPIPE:
      return "connection reset by the server";
    case ETIMEDOUT:
      return "timed out in the kernel";
    case EADDRNOTAVAIL:
      return "no local address or port is free";
    default:
      break;
  }
  std::string text = std::generic_category().message(error);
  if (!text.empty() && text.front() >= 'A' && text.front() <= 'Z') {
    text.front() = static_cast<char>(text.front() - 'A' + 'a');
  }
  return text;
}

}  // namespace

CheckResult result_of_socket_error(int error, std::string_view activity) {
  std::string text = description(error);
  if (!activity.empty()) {
    text += fmt::format(" while {}", activity);
  }
  if (is_own(error)) {
    return {Verdict::kInconclusive, "could not check: " + text};
  }
  return {Verdict::kUnhealthy, std::move(text)};
}

}  // namespace ballast::healthcheck
