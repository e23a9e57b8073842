#include "control/config/configuration.h"

#include <map>

#include <fmt/format.h>

namespace ballast::control {
namespace {

std::string with_port(const IpAddress& address, uint16_t port) {
  return address.is_v4() ? fmt::format("{}:{}", address.to_string(), port)
                         : fmt::format("[{}]:{}", address.to_string(), port);
}

}  // namespace

std::string_view name_of(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "unknown";
}

std::string_view name_of(Mode mode) {
  switch (mode) {
    case Mode::kDirectRouting:
      return "dr";
    case Mode::kNat:
      return "nat";
    case Mode::kFullNat:
      return "fullnat";
    case Mode::kTunnel:
      return "tun";
  }
  return "unknown";
}

std::string_view name_of(Refuse refuse) {
  return refuse == Refuse::kAnswer ? "answer" : "drop";
}

std::string_view name_of(OnServerDown on_server_down) {
  switch (on_server_down) {
    case OnServerDown::kKeep:
      return "keep";
    case OnServerDown::kReset:
      return "reset";
    case OnServerDown::kReschedule:
      return "reschedule";
  }
  return "unknown";
}

std::string_view name_of(Encapsulation encapsulation) {
  switch (encapsulation) {
    case Encapsulation::kIpip:
      return "ipip";
    case Encapsulation::kGre:
      return "gre";
    case Encapsulation::kGue:
      return "gue";
  }
  return "unknown";
}

std::string_view name_of(AddressUse use) {
  switch (use) {
    case AddressUse::kServices:
      return "VIP";
    case AddressUse::kGateway:
      return "gateway";
    case AddressUse::kLocal:
      return "local address";
  }
  return "unknown";
}

std::string InterfaceAddress::to_string() const {
  return fmt::format("{}/{}", address.to_string(), length);
}

std::string Listener::to_string() const {
  return fmt::format("{}/{}", protocol == IpProtocol::kTcp ? "tcp" : "udp",
                     with_port(address, port));
}

std::string ServerKey::to_string() const {
  return port == 0 ? address.to_string() : with_port(address, port);
}

std::vector<HeldAddress> held_addresses(const Configuration& configuration) {
  std::map<IpAddress, HeldAddress> by_address;  // the first use counts; the reader allows one only
  for (const VipSettings& vip : configuration.vips) {
    by_address.emplace(vip.address, HeldAddress{vip.address, AddressUse::kServices, vip.ping});
  }
  const auto add = [&by_address](const IpAddress& address, AddressUse use) {
    by_address.emplace(address, HeldAddress{.address = address, .use = use});
  };
  for (const IpAddress& gateway : configuration.nat.gateways) {
    add(gateway, AddressUse::kGateway);
  }
  for (const ServiceSettings& service : configuration.services) {
    for (const Listener& listener : service.listeners) {
      add(listener.address, AddressUse::kServices);
    }
    for (const IpAddress& address : service.local_addresses) {
      add(address, AddressUse::kLocal);
    }
  }
  for (const VrrpSettings& instance : configuration.vrrp) {
    for (const IpAddress& address : instance.addresses) {
      add(address, AddressUse::kServices);
    }
  }
  std::vector<HeldAddress> result;
  result.reserve(by_address.size());
  for (const auto& [address, held] : by_address) {
    result.push_back(held);
  }
  return result;
}

}  // namespace ballast::control
