#include "dataplane/world/specification.h"

#include <fmt/format.h>

#include "dataplane/world/validate.h"

namespace ballast {

std::string describe(const IpAddress& address, Big16 port) {
  return address.is_v4() ? fmt::format("{}:{}", address.to_string(), port.to_host())
                         : fmt::format("[{}]:{}", address.to_string(), port.to_host());
}

std::string describe(const Listener& listener) {
  return (listener.protocol == IpProtocol::kTcp ? "tcp/" : "udp/") +
         describe(listener.vip, listener.port);
}

std::string describe_service(const std::string& name) {
  return fmt::format("service \"{}\"", name);
}

std::string describe_port(const std::string& name) {
  return fmt::format("port \"{}\"", name);
}

std::string describe(AddressRole role) {
  return api::AddressUse_Name(to_api(role));
}

}  // namespace ballast
