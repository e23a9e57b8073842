#include "dataplane/world/validate.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace ballast {
namespace {

constexpr size_t kMaxQuoted = 80;
constexpr int kMaxRoutedNetworks = 256;  // each packet that is nobody's is compared with them

}  // namespace

std::optional<PortIndex> ValidationContext::find_port(std::string_view name) const {
  const auto found = std::find(port_names.begin(), port_names.end(), name);
  if (found == port_names.end()) {
    return std::nullopt;
  }
  return PortIndex{static_cast<uint16_t>(found - port_names.begin())};
}

std::string ValidationContext::unknown_port(std::string_view name) const {
  return fmt::format("unknown port {} (ports: {})", quoted(name), fmt::join(port_names, ", "));
}

const char* why_not_unicast(const IpAddress& address) {
  if (address.is_unspecified()) {
    return "is the unspecified address";
  }
  if (address.is_multicast()) {
    return "is a multicast address";
  }
  if (address.is_broadcast()) {
    return "is the broadcast address";
  }
  return address.is_loopback() ? "is a loopback address" : nullptr;
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char character : text.substr(0, kMaxQuoted)) {
    const auto byte = static_cast<unsigned char>(character);
    result += byte < 0x20 || byte == 0x7f ? '?' : character;
  }
  return result + (text.size() > kMaxQuoted ? "...\"" : "\"");
}

std::optional<RefuseAction> to_refuse_action(api::Refuse refuse) {
  switch (refuse) {
    case api::ANSWER:
      return RefuseAction::kAnswer;
    case api::DROP:
      return RefuseAction::kDrop;
    default:  // proto3 enums are open
      return std::nullopt;
  }
}

api::Refuse to_api(RefuseAction action) {
  return action == RefuseAction::kAnswer ? api::ANSWER : api::DROP;
}

api::Mode to_api(ForwardingMode mode) {
  switch (mode) {
    case ForwardingMode::kDirectRouting:
      return api::DR;
    case ForwardingMode::kNat:
      return api::NAT;
    case ForwardingMode::kFullNat:
      return api::FULLNAT;
    case ForwardingMode::kTunnel:
      return api::TUN;
  }
  return api::MODE_UNSPECIFIED;
}

api::OnServerDown to_api(OnServerDown action) {
  switch (action) {
    case OnServerDown::kKeep:
      return api::KEEP;
    case OnServerDown::kReset:
      return api::RESET;
    case OnServerDown::kReschedule:
      return api::RESCHEDULE;
  }
  return api::KEEP;
}

std::optional<AddressRole> to_address_role(api::AddressUse use) {
  switch (use) {
    case api::SERVICES:
      return AddressRole::kVip;
    case api::GATEWAY:
      return AddressRole::kGateway;
    case api::LOCAL:
      return AddressRole::kLocal;
    default:
      return std::nullopt;
  }
}

api::AddressUse to_api(AddressRole role) {
  switch (role) {
    case AddressRole::kVip:
    case AddressRole::kNode:  // never in a transaction
      return api::SERVICES;
    case AddressRole::kGateway:
      return api::GATEWAY;
    case AddressRole::kLocal:
      return api::LOCAL;
  }
  return api::SERVICES;
}

std::optional<Encapsulation> to_encapsulation(api::Encapsulation encapsulation) {
  switch (encapsulation) {
    case api::IPIP:
      return Encapsulation::kIpIp;
    case api::GRE:
      return Encapsulation::kGre;
    case api::GUE:
      return Encapsulation::kGue;
    default:
      return std::nullopt;
  }
}

api::Encapsulation to_api(Encapsulation encapsulation) {
  switch (encapsulation) {
    case Encapsulation::kIpIp:
      return api::IPIP;
    case Encapsulation::kGre:
      return api::GRE;
    case Encapsulation::kGue:
      return api::GUE;
  }
  return api::IPIP;
}

std::optional<SettingsSpecification> validate_settings(const api::Settings& settings,
                                                       RefusalList& refusals) {
  const size_t before = refusals.total();
  SettingsSpecification result;
  if (const auto on_no_service = to_refuse_action(settings.on_no_service())) {
    result.on_no_service = *on_no_service;
  } else {
    refusals.add("settings", fmt::format("on_no_service {} is unknown (ANSWER, DROP)",
                                         static_cast<int>(settings.on_no_service())));
  }
  if (settings.routed_networks_size() > kMaxRoutedNetworks) {
    refusals.add("settings", fmt::format("{} routed networks: at most {} are supported",
                                         settings.routed_networks_size(), kMaxRoutedNetworks));
    return std::nullopt;
  }
  for (const std::string& text : settings.routed_networks()) {
    if (const auto prefix = Prefix::parse(text)) {
      result.routed_networks.push_back(*prefix);
    } else {
      refusals.add("settings", fmt::format("routed network {} is not a prefix like 10.0.0.0/24 or "
                                           "2001:db8::/64, its host bits zero",
                                           quoted(text)));
    }
  }
  std::sort(result.routed_networks.begin(), result.routed_networks.end());
  result.routed_networks.erase(
      std::unique(result.routed_networks.begin(), result.routed_networks.end()),
      result.routed_networks.end());
  return refusals.total() == before ? std::optional(std::move(result)) : std::nullopt;
}

}  // namespace ballast
