// One resource of the contract into one specification, or into refusals. Looks at nothing but the
// resource itself and what never changes while the dataplane runs; what must fit together is
// check_references.h's business.
//
// Each function adds every refusal that it finds and returns nothing when there was one.
#pragma once

#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "dataplane/neighbor/route_table.h"
#include "dataplane/world/refusal_list.h"
#include "dataplane/world/specification.h"

namespace ballast {

// What a dataplane is and stays from its start on.
struct ValidationContext {
  std::vector<std::string> port_names;  // by PortIndex
  std::set<ForwardingMode> modes;

  [[nodiscard]] std::optional<PortIndex> find_port(std::string_view name) const;
  // "unknown port "lan9" (ports: wan, lan)"
  [[nodiscard]] std::string unknown_port(std::string_view name) const;
};

std::optional<ServiceSpecification> validate_service(const api::Service& service,
                                                     const ValidationContext& context,
                                                     RefusalList& refusals);
std::optional<VipSpecification> validate_vip(const api::Vip& vip, RefusalList& refusals);
std::optional<Route> validate_route(const api::Route& route, const ValidationContext& context,
                                    RefusalList& refusals);
std::optional<std::pair<PortIndex, PortSpecification>> validate_port(
    const api::Port& port, const ValidationContext& context, RefusalList& refusals);
std::optional<std::pair<NeighborTable::Key, NeighborSpecification>> validate_neighbor(
    const api::Neighbor& neighbor, const ValidationContext& context, RefusalList& refusals);
std::optional<SettingsSpecification> validate_settings(const api::Settings& settings,
                                                       RefusalList& refusals);

// Of an address that a packet could be sent to: not unspecified, multicast, broadcast or loopback.
// Null when it is fine.
const char* why_not_unicast(const IpAddress& address);

// Text of a peer inside a sentence: short, and without control characters.
std::string quoted(std::string_view text);

// Both enums of the contract.
std::optional<RefuseAction> to_refuse_action(api::Refuse refuse);
api::Refuse to_api(RefuseAction action);
api::Mode to_api(ForwardingMode mode);
api::OnServerDown to_api(OnServerDown action);

}  // namespace ballast
