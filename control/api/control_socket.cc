#include "control/api/control_socket.h"

#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/api/unix_address.h"

namespace ballast::control {
namespace {

std::string error_text(const std::string& path, std::string_view what) {
  return fmt::format("{}: {}: {}", path, what, std::strerror(errno));
}

// The process that listens on the socket; 0: there is none, or it cannot be told.
pid_t listener_of(const UnixAddress& address) {
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) {
    return 0;
  }
  ucred owner{};
  socklen_t size = sizeof(owner);
  const bool answered = connect(probe, address.get(), address.size()) == 0 &&
                        getsockopt(probe, SOL_SOCKET, SO_PEERCRED, &owner, &size) == 0;
  close(probe);
  return answered ? owner.pid : 0;
}

tl::expected<void, std::string> give_to(const std::string& path, mode_t mode,
                                        const std::string& group) {
  if (!group.empty()) {
    const ::group* entry = getgrnam(group.c_str());
    if (entry == nullptr) {
      return tl::unexpected(fmt::format("{}: group \"{}\": does not exist", path, group));
    }
    if (lchown(path.c_str(), static_cast<uid_t>(-1), entry->gr_gid) != 0) {
      return tl::unexpected(error_text(path, "cannot be given to group \"" + group + "\""));
    }
  }
  if (chmod(path.c_str(), mode) != 0) {
    return tl::unexpected(error_text(path, fmt::format("cannot be given mode {:04o}", mode)));
  }
  return {};
}

}  // namespace

tl::expected<ballast::api::UnixListener, std::string> open_control_socket(
    const std::string& path, mode_t mode, const std::string& group) {
  const auto address = UnixAddress::of(path);
  if (!address) {
    return tl::unexpected(address.error());
  }
  if (const pid_t pid = listener_of(*address); pid > 0) {
    return tl::unexpected(fmt::format("another ballastd (pid {}) is listening on {}", pid, path));
  }
  // It starts with mode 0600: at no moment is it open to more than `mode` says.
  auto listener = ballast::api::UnixListener::open(path);
  if (!listener) {
    return tl::unexpected(listener.error());
  }
  if (auto given = give_to(path, mode, group); !given) {
    return tl::unexpected(given.error());
  }
  return listener;
}

}  // namespace ballast::control
