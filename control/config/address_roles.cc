#include "control/config/address_roles.h"

#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace ballast::control {
namespace {

std::string_view name_of(AddressRole role) {
  switch (role) {
    case AddressRole::kVip:
      return "a VIP";
    case AddressRole::kGateway:
      return "a gateway";
    case AddressRole::kLocal:
      return "a local address";
    case AddressRole::kServer:
      return "the address of a server";
    case AddressRole::kOwn:
      return "the node's own address";
  }
  return "used";
}

// What would be right, where the file alone does not say it.
std::string_view advice(AddressRole role, AddressRole other) {
  if (other == AddressRole::kOwn) {
    switch (role) {
      case AddressRole::kVip:
        return ": VIPs never live in the kernel";
      case AddressRole::kServer:
        return ": a server is another machine";
      default:
        return ": the dataplane answers for it, so give it an address of its own";
    }
  }
  return other == AddressRole::kServer && role == AddressRole::kVip
             ? ""
             : ": an address has one use only";
}

}  // namespace

bool AddressRoles::note(AddressRole role, const IpAddress& address, TomlPosition where,
                        std::string owner) {
  return uses_[role].emplace(address, Use{where, std::move(owner)}).second;
}

const AddressRoles::Use* AddressRoles::find(AddressRole role, const IpAddress& address) const {
  const Uses& uses = all(role);
  const auto found = uses.find(address);
  return found == uses.end() ? nullptr : &found->second;
}

const AddressRoles::Uses& AddressRoles::all(AddressRole role) const {
  static const Uses none;
  const auto found = uses_.find(role);
  return found == uses_.end() ? none : found->second;
}

void AddressRoles::check(TomlReport& report) const {
  constexpr AddressRole kRoles[] = {AddressRole::kGateway, AddressRole::kLocal, AddressRole::kVip,
                                    AddressRole::kServer, AddressRole::kOwn};
  for (const auto* role = std::begin(kRoles); role != std::end(kRoles); ++role) {
    for (const auto* other = std::next(role); other != std::end(kRoles); ++other) {
      check(*role, *other, report);
    }
  }
}

void AddressRoles::check(AddressRole role, AddressRole other, TomlReport& report) const {
  std::optional<TomlPosition> reported;
  for (const auto& [address, use] : all(role)) {
    const Use* second = find(other, address);
    if (second == nullptr || reported == use.where) {
      continue;
    }
    reported = use.where;
    const std::string text = address.to_string();
    report.error(use.where, fmt::format("{}: {}is {}{}, of {} in line {}{}", use.owner,
                                        use.owner.ends_with(text) ? "" : text + " ", name_of(other),
                                        other == AddressRole::kOwn ? "" : " as well", second->owner,
                                        second->where.line, advice(role, other)));
  }
}

}  // namespace ballast::control
