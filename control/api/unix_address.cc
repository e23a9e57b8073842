#include "control/api/unix_address.h"

#include <algorithm>

#include <fmt/format.h>

namespace ballast::control {

tl::expected<UnixAddress, std::string> UnixAddress::of(const std::string& path) {
  UnixAddress result;
  const size_t longest = sizeof result.address_.sun_path - 1;
  if (path.empty() || path.size() > longest || path.find('\0') != std::string::npos) {
    return tl::unexpected(
        fmt::format("\"{}\": cannot be the path of a unix socket: 1 to {} bytes", path, longest));
  }
  result.address_.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), std::begin(result.address_.sun_path));
  return result;
}

}  // namespace ballast::control
