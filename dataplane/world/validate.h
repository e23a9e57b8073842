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

// The tunnel of a service in mode TUN, and what its SYNs may announce; `what` is the service.
std::optional<PathSpecification> validate_path(const api::Service& service, const std::string& what,
                                               RefusalList& refusals);
// Whether what is valid by itself fits the mode.
void check_mode(const ServiceSpecification& service, const std::string& what,
                RefusalList& refusals);
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

// The contract's enums and ours.
std::optional<RefuseAction> to_refuse_action(api::Refuse refuse);
api::Refuse to_api(RefuseAction action);
api::Mode to_api(ForwardingMode mode);
api::OnServerDown to_api(OnServerDown action);
std::optional<AddressRole> to_address_role(api::AddressUse use);
api::AddressUse to_api(AddressRole role);  // of any but kNode
std::optional<Encapsulation> to_encapsulation(api::Encapsulation encapsulation);
api::Encapsulation to_api(Encapsulation encapsulation);

}  // namespace ballast
