#include <fmt/format.h>

#include "dataplane/world/validate.h"

namespace ballast {
namespace {

constexpr int kMaxHops = 1024;
constexpr uint32_t kMaxHopWeight = 65535;

std::optional<RouteHop> validate_hop(const api::Hop& hop, Family family,
                                     const ValidationContext& context, const std::string& what,
                                     RefusalList& refusals) {
  const size_t before = refusals.total();
  const auto port = context.find_port(hop.port());
  if (!port) {
    refusals.add(what, context.unknown_port(hop.port()));
  }
  if (hop.weight() > kMaxHopWeight) {
    refusals.add(what, fmt::format("weight {} of the hop on {} is out of range (0-{})",
                                   hop.weight(), quoted(hop.port()), kMaxHopWeight));
  }
  std::optional<IpAddress> gateway;
  if (!hop.gateway().empty()) {
    gateway = IpAddress::parse(hop.gateway());
    if (!gateway) {
      refusals.add(what, fmt::format("gateway {} is not an address", quoted(hop.gateway())));
    } else if (gateway->family() != family) {
      refusals.add(what,
                   fmt::format("gateway {} is not of the prefix's family", gateway->to_string()));
    } else if (const char* why = why_not_unicast(*gateway)) {
      refusals.add(what, fmt::format("gateway {} {}", gateway->to_string(), why));
    }
  }
  if (refusals.total() != before) {
    return std::nullopt;
  }
  return RouteHop{*port, gateway, hop.weight() == 0 ? 1 : hop.weight()};
}

}  // namespace

std::optional<Route> validate_route(const api::Route& route, const ValidationContext& context,
                                    RefusalList& refusals) {
  const auto prefix = Prefix::parse(route.prefix());
  if (!prefix) {
    refusals.add("route " + quoted(route.prefix()),
                 "not a prefix like 192.0.2.0/24 or 2001:db8::/32, its host bits zero");
    return std::nullopt;
  }
  const std::string what = "route " + prefix->to_string();
  if (route.hops_size() > kMaxHops) {
    refusals.add(what,
                 fmt::format("has {} hops: at most {} are supported", route.hops_size(), kMaxHops));
    return std::nullopt;
  }
  const size_t before = refusals.total();
  Route result{*prefix, {}};
  for (const api::Hop& hop : route.hops()) {
    if (const auto valid = validate_hop(hop, prefix->address.family(), context, what, refusals)) {
      result.hops.push_back(*valid);
    }
  }
  if (refusals.total() != before) {
    return std::nullopt;
  }
  return result;
}

}  // namespace ballast
