#include "control/config/vrrp_settings.h"

#include <algorithm>

#include <fmt/format.h>

namespace ballast::control {

std::string_view name_of(FileIsUpIf up_if) {
  return up_if == FileIsUpIf::kExists ? "exists" : "missing";
}

std::string_view name_of(VrrpTrack::Kind kind) {
  switch (kind) {
    case VrrpTrack::Kind::kPort:
      return "port";
    case VrrpTrack::Kind::kService:
      return "service";
    case VrrpTrack::Kind::kScript:
      return "script";
    case VrrpTrack::Kind::kFile:
      return "file";
    case VrrpTrack::Kind::kRoute:
      return "route";
  }
  return {};
}

std::string VrrpTrack::name() const {
  return fmt::format("{} {}", name_of(kind), subject);
}

std::vector<IpAddress> VrrpSettings::addresses_of(Family family) const {
  std::vector<IpAddress> result;
  std::copy_if(addresses.begin(), addresses.end(), std::back_inserter(result),
               [family](const IpAddress& address) { return address.family() == family; });
  return result;
}

bool VrrpSettings::has(Family family) const {
  return std::any_of(addresses.begin(), addresses.end(),
                     [family](const IpAddress& address) { return address.family() == family; });
}

std::chrono::milliseconds usual_advert_interval(vrrp::Version version) {
  return std::chrono::milliseconds(version == vrrp::Version::kV2 ? 1000 : 100);
}

IpAddress link_local_of_virtual_mac(uint8_t virtual_router_id) {
  const MacAddress::Bytes mac =
      vrrp::virtual_mac(Family::kIpv6, vrrp::VirtualRouterId{virtual_router_id}).bytes();
  constexpr uint8_t kUniversal = 2;  // this bit of the first byte is inverted
  return IpAddress::v6({0xfe, 0x80, 0, 0, 0, 0, 0, 0, static_cast<uint8_t>(mac[0] ^ kUniversal),
                        mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]});
}

std::vector<vrrp::TrackSettings> track_settings(const VrrpSettings& instance) {
  std::vector<vrrp::TrackSettings> result;
  for (const VrrpTrack& track : instance.tracks) {
    result.push_back({.name = track.name(),
                      .weight = track.weight,
                      .rise = track.rise,
                      .fall = track.fall,
                      .up_delay = track.up_delay,
                      .down_delay = track.down_delay});
  }
  return result;
}

}  // namespace ballast::control
