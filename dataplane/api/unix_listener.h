// A listening unix stream socket at a path, for one owner at a time.
//
// The socket file of a process that died is replaced; that of a living one is not. A lock file
// beside it ("PATH.lock", which stays) makes the decision safe when two processes start at once.
// The socket has mode 0600 before anybody can connect to it.
#pragma once

#include <string>

#include <tl/expected.hpp>

namespace ballast::api {

// Removes the socket that a dead process left at the path; anything else that is in the way stays,
// and is the error. What binds to the path afterwards may still find that another was faster.
tl::expected<void, std::string> remove_dead_socket(const std::string& path);

// Owns the lock, the listening descriptor until release_descriptor(), and the socket file, which it
// removes at the end.
class UnixListener {
 public:
  static tl::expected<UnixListener, std::string> open(const std::string& path);

  UnixListener(UnixListener&& other) noexcept;
  UnixListener& operator=(UnixListener&& other) noexcept;
  ~UnixListener();

  // The caller closes it from now on.
  int release_descriptor();

 private:
  UnixListener(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}

  tl::expected<void, std::string> listen();

  std::string path_;
  int lock_ = -1;
  int descriptor_ = -1;
  bool bound_ = false;
};

}  // namespace ballast::api
