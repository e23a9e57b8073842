#include <fmt/format.h>

#include "dataplane/api/lease_page.h"
#include "dataplane/world/validate.h"

namespace ballast {

std::optional<VipSpecification> validate_vip(const api::Vip& vip, RefusalList& refusals) {
  const auto address = IpAddress::parse(vip.address());
  if (!address) {
    refusals.add("vip " + quoted(vip.address()), "not an address");
    return std::nullopt;
  }
  const std::string what = "vip " + address->to_string();
  const size_t before = refusals.total();
  if (const char* why = why_not_unicast(*address)) {
    refusals.add(what, why);
  }
  if (vip.lease_slot() >= kLeaseSlots) {
    refusals.add(what, fmt::format("lease slot {} is out of range (0-{})", vip.lease_slot(),
                                   kLeaseSlots - 1));
  }
  MacAddress virtual_mac;
  if (!vip.virtual_mac().empty()) {
    const auto mac = MacAddress::parse(vip.virtual_mac());
    if (!mac) {
      refusals.add(what, fmt::format("virtual MAC {} is not a MAC like 00:00:5e:00:01:33",
                                     quoted(vip.virtual_mac())));
    } else if (mac->is_multicast() || mac->is_zero()) {
      refusals.add(what, fmt::format("virtual MAC {} is not of one station", mac->to_string()));
    } else {
      virtual_mac = *mac;
    }
  }
  const auto role = to_address_role(vip.use());
  if (!role) {
    refusals.add(what, fmt::format("use {} is unknown (SERVICES, GATEWAY, LOCAL)",
                                   static_cast<int>(vip.use())));
  }
  if (refusals.total() != before) {
    return std::nullopt;
  }
  return VipSpecification{*address, LeaseSlot{static_cast<uint8_t>(vip.lease_slot())}, virtual_mac,
                          vip.ignore_ping(), *role};
}

}  // namespace ballast
