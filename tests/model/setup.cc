#include "tests/model/setup.h"

#include <algorithm>

namespace ballast::model {

const char* name_of(Mode mode) {
  switch (mode) {
    case Mode::kDr:
      return "dr";
    case Mode::kNat:
      return "nat";
    case Mode::kFullNat:
      return "fullnat";
    case Mode::kTun:
      return "tun";
  }
  return "?";
}

const ServiceSetup* Setup::service(const std::string& name) const {
  const auto found = std::find_if(services.begin(), services.end(),
                                  [&](const ServiceSetup& each) { return each.name == name; });
  return found == services.end() ? nullptr : &*found;
}

const ServiceSetup* Setup::listening(uint8_t protocol, const IpAddress& vip, uint16_t port) const {
  const ListenerSetup wanted{protocol, vip, port};
  for (const ServiceSetup& service : services) {
    if (std::find(service.listeners.begin(), service.listeners.end(), wanted) !=
        service.listeners.end()) {
      return &service;
    }
  }
  return nullptr;
}

const AddressSetup* Setup::address(const IpAddress& wanted) const {
  const auto found = std::find_if(addresses.begin(), addresses.end(),
                                  [&](const auto& each) { return each.address == wanted; });
  return found == addresses.end() ? nullptr : &*found;
}

bool Setup::is_node(const IpAddress& address) const {
  return std::any_of(ports.begin(), ports.end(), [&](const PortSetup& port) {
    return std::find(port.addresses.begin(), port.addresses.end(), address) != port.addresses.end();
  });
}

std::optional<IpAddress> Setup::own(PortIndex port, Family family) const {
  for (const IpAddress& address : ports[index(port)].addresses) {
    if (address.family() == family && !address.is_link_local()) {
      return address;
    }
  }
  return std::nullopt;
}

std::optional<Setup::Hop> Setup::hop_to(const IpAddress& destination) const {
  const RouteSetup* best = nullptr;
  for (const RouteSetup& route : routes) {
    if (route.prefix.address.family() == destination.family() &&
        route.prefix.contains(destination) &&
        (best == nullptr || route.prefix.length > best->prefix.length)) {
      best = &route;
    }
  }
  if (best == nullptr) {
    return std::nullopt;
  }
  return Hop{best->port, best->gateway.value_or(destination), best->gateway.has_value()};
}

const NeighborSetup* Setup::neighbor(PortIndex port, const IpAddress& wanted) const {
  const auto found = std::find_if(neighbors.begin(), neighbors.end(), [&](const auto& each) {
    return each.port == port && each.address == wanted;
  });
  return found == neighbors.end() ? nullptr : &*found;
}

}  // namespace ballast::model
