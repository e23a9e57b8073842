// The address of a unix socket in the file system.
#pragma once

#include <string>

#include <sys/socket.h>
#include <sys/un.h>
#include <tl/expected.hpp>

namespace ballast::control {

class UnixAddress {
 public:
  // A path fits if it has 1 to 107 bytes, none of them 0.
  static tl::expected<UnixAddress, std::string> of(const std::string& path);

  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address_); }
  [[nodiscard]] socklen_t size() const { return sizeof address_; }

 private:
  sockaddr_un address_{};
};

}  // namespace ballast::control
