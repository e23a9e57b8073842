// What the dataplane is told, made from what the configuration says, what is known of the servers,
// and what the kernel knows. Pure.
//
// Every resource has a text key ("service/web", "route/10.0.0.0/8"), by which the link (link.h)
// compares what it has said with what it should say.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "control/config/configuration.h"
#include "control/dataplane_link/server_id.h"
#include "control/dataplane_link/vip_lease.h"
#include "control/netlink/kernel_state.h"
#include "control/netlink/neighbor_memory.h"
#include "dataplane/api/dataplane.pb.h"

namespace ballast::control {

using Resources = std::map<std::string, ballast::api::Resource>;

std::string key_of(const ballast::api::Resource& resource);
std::string service_resource_key(const std::string& name);
std::string neighbor_resource_key(const netlink::NextHop& next_hop);
// What the dataplane calls the resource when it refuses it: `service "web"`, `route 10.0.0.0/8`.
std::string name_in_refusals(const ballast::api::Resource& resource);
// The message that removes the resource of this key.
ballast::api::ResourceKey removal_of(const ballast::api::Resource& resource);

ballast::api::Resource service_resource(const ServiceSettings& settings,
                                        const ServerConditions& conditions);

// Services, the addresses that the dataplane answers for, and settings: all that follows from the
// configuration.
Resources configured_resources(const Configuration& configuration,
                               const ServerConditions& conditions, const VipLeases& leases);

ballast::api::Resource route_resource(const Prefix& prefix,
                                      const netlink::EffectiveRoute& effective);
ballast::api::Resource neighbor_resource(const netlink::NextHop& next_hop,
                                         const netlink::RememberedNeighbor& remembered);
// `kernel_interface` is what the port sits on, empty when the dataplane asks its device itself. An
// address that is `held` is the dataplane's, whoever put it on the interface: it is left out.
ballast::api::Resource port_resource(const std::string& name, const std::string& kernel_interface,
                                     const netlink::KernelState& kernel,
                                     const std::set<IpAddress>& held);

// The neighbours that a dataplane knows, with their MACs.
std::map<netlink::NextHop, MacAddress> neighbors_in(const ballast::api::State& state);

// Health and overrides as a dataplane knows them, for a ballastd that has just started.
ServerConditions conditions_in(const ballast::api::State& state);

ballast::api::Health to_api(healthcheck::Health health);
healthcheck::Health from_api(ballast::api::Health health);

}  // namespace ballast::control
