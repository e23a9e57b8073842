#include "dataplane/packet/flow_key.h"

#include <fmt/format.h>

namespace ballast {

std::string FlowKey::to_string() const {
  const auto endpoint = [](const IpAddress& address, Big16 port) {
    return address.is_v4() ? fmt::format("{}:{}", address.to_string(), port.to_host())
                           : fmt::format("[{}]:{}", address.to_string(), port.to_host());
  };
  return fmt::format("{} {} -> {}", ballast::to_string(protocol), endpoint(client, client_port),
                     endpoint(vip, vip_port));
}

}  // namespace ballast
