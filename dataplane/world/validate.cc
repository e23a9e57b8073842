#include "dataplane/world/validate.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace ballast {
namespace {

constexpr size_t kMaxQuoted = 80;

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

std::optional<SettingsSpecification> validate_settings(const api::Settings& settings,
                                                       RefusalList& refusals) {
  const auto on_no_service = to_refuse_action(settings.on_no_service());
  if (!on_no_service) {
    refusals.add("settings", fmt::format("on_no_service {} is unknown (ANSWER, DROP)",
                                         static_cast<int>(settings.on_no_service())));
    return std::nullopt;
  }
  return SettingsSpecification{*on_no_service};
}

}  // namespace ballast
