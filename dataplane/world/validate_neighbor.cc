#include <fmt/format.h>

#include "dataplane/world/validate.h"

namespace ballast {
namespace {

std::optional<NeighborState> to_neighbor_state(api::Neighbor::State state) {
  switch (state) {
    case api::Neighbor::UNKNOWN:
      return NeighborState::kUnknown;
    case api::Neighbor::REACHABLE:
      return NeighborState::kReachable;
    case api::Neighbor::FAILED:
      return NeighborState::kFailed;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<std::pair<NeighborTable::Key, NeighborSpecification>> validate_neighbor(
    const api::Neighbor& neighbor, const ValidationContext& context, RefusalList& refusals) {
  const std::string what =
      fmt::format("neighbor {} on {}", quoted(neighbor.address()), quoted(neighbor.port()));
  const size_t before = refusals.total();
  const auto port = context.find_port(neighbor.port());
  if (!port) {
    refusals.add(what, context.unknown_port(neighbor.port()));
  }
  const auto address = IpAddress::parse(neighbor.address());
  if (!address) {
    refusals.add(what, "not an address");
  } else if (const char* why = why_not_unicast(*address)) {
    refusals.add(what, why);
  }
  const auto state = to_neighbor_state(neighbor.state());
  if (!state) {
    refusals.add(what, fmt::format("state {} is unknown (UNKNOWN, REACHABLE, FAILED)",
                                   static_cast<int>(neighbor.state())));
  }
  // A MAC means something only while it is in use: of the other states it is forgotten.
  MacAddress mac;
  if (state == NeighborState::kReachable) {
    const auto parsed = MacAddress::parse(neighbor.mac());
    if (!parsed) {
      refusals.add(
          what, fmt::format("MAC {} is not a MAC like 02:00:00:00:00:01", quoted(neighbor.mac())));
    } else if (parsed->is_multicast() || parsed->is_zero()) {
      refusals.add(what, fmt::format("MAC {} is not of one station", parsed->to_string()));
    } else {
      mac = *parsed;
    }
  }
  if (refusals.total() != before) {
    return std::nullopt;
  }
  return std::pair(NeighborTable::Key(*port, *address), NeighborSpecification{mac, *state});
}

}  // namespace ballast
