#include "control/config/unusable_address.h"

namespace ballast::control {

std::string_view unusable(const IpAddress& address) {
  if (address.is_unspecified() || address == IpAddress::v4({0, 0, 0, 0})) {
    return "unspecified";
  }
  if (address.is_multicast()) {
    return "multicast";
  }
  if (address.is_broadcast()) {
    return "the broadcast address";
  }
  if (address.is_loopback()) {
    return "loopback";
  }
  return {};
}

}  // namespace ballast::control
