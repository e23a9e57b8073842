#include "dataplane/api/unix_listener.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace ballast::api {
namespace {

constexpr int kBacklog = 64;

std::string failure(const std::string& path, std::string_view what, int error) {
  return fmt::format("socket {}: {}: {}", path, what, std::strerror(error));
}

// Only for paths that check_length() found short enough.
sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

// The result of connect(2) to the path, without waiting: 0 or an errno.
int try_to_connect(const std::string& path) {
  const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) {
    return errno;
  }
  const sockaddr_un address = address_of(path);
  const int result =
      connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const int error = result == 0 ? 0 : errno;
  close(descriptor);
  return error;
}

tl::expected<void, std::string> check_length(const std::string& path) {
  if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path)) {
    return tl::unexpected(fmt::format("socket {}: path of {} bytes: 1 to {} are possible", path,
                                      path.size(), sizeof(sockaddr_un::sun_path) - 1));
  }
  return {};
}

}  // namespace

tl::expected<void, std::string> remove_dead_socket(const std::string& path) {
  if (auto short_enough = check_length(path); !short_enough) {
    return short_enough;
  }
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) {
      return {};
    }
    return tl::unexpected(failure(path, "cannot be looked at", errno));
  }
  if (!S_ISSOCK(status.st_mode)) {
    return tl::unexpected(
        fmt::format("socket {}: something that is not a socket is in its place", path));
  }
  const int error = try_to_connect(path);
  if (error == 0 || error == EAGAIN) {  // EAGAIN: its backlog is full
    return tl::unexpected(fmt::format("socket {}: another process listens on it", path));
  }
  if (error != ECONNREFUSED && error != ENOENT) {
    return tl::unexpected(failure(path, "cannot tell whether it is in use", error));
  }
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    return tl::unexpected(failure(path, "left by a dead process, cannot be removed", errno));
  }
  return {};
}

tl::expected<UnixListener, std::string> UnixListener::open(const std::string& path) {
  if (auto short_enough = check_length(path); !short_enough) {
    return tl::unexpected(std::move(short_enough.error()));
  }
  const std::string lock_path = path + ".lock";
  const int lock = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock < 0) {
    return tl::unexpected(failure(lock_path, "cannot be opened", errno));
  }
  UnixListener listener(path, lock);
  if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
    return tl::unexpected(errno == EWOULDBLOCK
                              ? fmt::format("socket {}: another process listens on it", path)
                              : failure(lock_path, "cannot be locked", errno));
  }
  if (auto free = remove_dead_socket(path); !free) {
    return tl::unexpected(std::move(free.error()));
  }
  if (auto listening = listener.listen(); !listening) {
    return tl::unexpected(std::move(listening.error()));
  }
  return listener;
}

tl::expected<void, std::string> UnixListener::listen() {
  descriptor_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor_ < 0) {
    return tl::unexpected(failure(path_, "cannot be made", errno));
  }
  const sockaddr_un address = address_of(path_);
  if (bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return tl::unexpected(failure(path_, "cannot be bound", errno));
  }
  bound_ = true;
  // Before listen(2) every connect(2) is refused, so nobody slips in under a wider mode.
  if (chmod(path_.c_str(), S_IRUSR | S_IWUSR) != 0) {
    return tl::unexpected(failure(path_, "cannot be given mode 0600", errno));
  }
  if (::listen(descriptor_, kBacklog) != 0) {
    return tl::unexpected(failure(path_, "cannot be listened on", errno));
  }
  return {};
}

int UnixListener::release_descriptor() {
  return std::exchange(descriptor_, -1);
}

UnixListener::UnixListener(UnixListener&& other) noexcept
    : path_(std::move(other.path_)),
      lock_(std::exchange(other.lock_, -1)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      bound_(std::exchange(other.bound_, false)) {}

UnixListener& UnixListener::operator=(UnixListener&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(lock_, other.lock_);
  std::swap(descriptor_, other.descriptor_);
  std::swap(bound_, other.bound_);
  return *this;
}

UnixListener::~UnixListener() {
  if (descriptor_ >= 0) {
    close(descriptor_);
  }
  if (bound_) {
    unlink(path_.c_str());
  }
  if (lock_ >= 0) {
    close(lock_);  // last: whoever waits for the lock finds the path free
  }
}

}  // namespace ballast::api
