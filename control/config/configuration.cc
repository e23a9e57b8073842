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

std::vector<VipSettings> all_vips(const Configuration& configuration) {
  std::map<IpAddress, VipSettings> by_address;
  for (const VipSettings& vip : configuration.vips) {
    by_address.emplace(vip.address, vip);
  }
  for (const ServiceSettings& service : configuration.services) {
    for (const Listener& listener : service.listeners) {
      by_address.emplace(listener.address, VipSettings{.address = listener.address});
    }
  }
  for (const VrrpSettings& instance : configuration.vrrp) {
    for (const IpAddress& address : instance.addresses) {
      by_address.emplace(address, VipSettings{.address = address});
    }
  }
  std::vector<VipSettings> result;
  result.reserve(by_address.size());
  for (const auto& [address, vip] : by_address) {
    result.push_back(vip);
  }
  return result;
}

}  // namespace ballast::control
