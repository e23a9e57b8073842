#include "control/dataplane_link/resources.h"

#include <algorithm>
#include <cctype>
#include <set>

#include <fmt/format.h>

#include "control/dataplane_link/weight_in_force.h"

namespace ballast::control {
namespace {

using ballast::api::Resource;

ballast::api::Mode to_api(Mode mode) {
  switch (mode) {
    case Mode::kDirectRouting:
      return ballast::api::DR;
    case Mode::kNat:
      return ballast::api::NAT;
    case Mode::kFullNat:
      return ballast::api::FULLNAT;
    case Mode::kTunnel:
      return ballast::api::TUN;
  }
  return ballast::api::MODE_UNSPECIFIED;
}

ballast::api::Refuse to_api(Refuse refuse) {
  return refuse == Refuse::kDrop ? ballast::api::DROP : ballast::api::ANSWER;
}

ballast::api::OnServerDown to_api(OnServerDown action) {
  switch (action) {
    case OnServerDown::kKeep:
      return ballast::api::KEEP;
    case OnServerDown::kReset:
      return ballast::api::RESET;
    case OnServerDown::kReschedule:
      return ballast::api::RESCHEDULE;
  }
  return ballast::api::KEEP;
}

std::string upper_case(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](unsigned char character) {
    return static_cast<char>(std::toupper(character));
  });
  return result;
}

void fill_server(const ServerSettings& settings, const ServerCondition& known,
                 ballast::api::Server& server) {
  const ServerCondition condition = condition_in_force(settings, known);
  server.set_address(settings.key.address.to_string());
  server.set_port(settings.key.port);
  server.set_configured_weight(settings.weight);
  server.set_weight(weight_in_force(settings.weight, condition));
  server.set_health(control::to_api(condition.health));
  server.set_override(condition.override_by_hand);
}

ballast::api::Encapsulation to_api(Encapsulation encapsulation) {
  switch (encapsulation) {
    case Encapsulation::kIpip:
      return ballast::api::IPIP;
    case Encapsulation::kGre:
      return ballast::api::GRE;
    case Encapsulation::kGue:
      return ballast::api::GUE;
  }
  return ballast::api::IPIP;
}

ballast::api::AddressUse to_api(AddressUse use) {
  switch (use) {
    case AddressUse::kServices:
      return ballast::api::SERVICES;
    case AddressUse::kGateway:
      return ballast::api::GATEWAY;
    case AddressUse::kLocal:
      return ballast::api::LOCAL;
  }
  return ballast::api::SERVICES;
}

void fill_mode(const ServiceSettings& settings, ballast::api::Service& service) {
  service.set_mode(to_api(settings.mode));
  for (const IpAddress& address : settings.local_addresses) {
    service.add_local_addresses(address.to_string());
  }
  if (settings.mode == Mode::kTunnel) {
    ballast::api::Tunnel& tunnel = *service.mutable_tunnel();
    tunnel.set_encapsulation(to_api(settings.tunnel.encapsulation));
    for (const Prefix& source : settings.tunnel.sources) {
      tunnel.add_sources(source.to_string());
    }
    if (settings.tunnel.encapsulation == Encapsulation::kGue) {
      tunnel.set_gue_port(settings.tunnel.gue_port);
      tunnel.set_no_udp_checksum(!settings.tunnel.gue_checksum);
    }
  }
  service.set_mss(settings.mss);
  service.set_mss_auto(settings.mss_auto);
  service.set_one_packet(settings.one_packet);
}

Resource vip_resource(const HeldAddress& held, const VipLeases& leases) {
  Resource resource;
  ballast::api::Vip& vip = *resource.mutable_vip();
  vip.set_address(held.address.to_string());
  vip.set_ignore_ping(!held.ping);
  vip.set_use(to_api(held.use));
  if (const auto lease = leases.find(held.address); lease != leases.end()) {
    vip.set_lease_slot(static_cast<uint32_t>(lease->second.slot));
    if (!lease->second.virtual_mac.is_zero()) {
      vip.set_virtual_mac(lease->second.virtual_mac.to_string());
    }
  }
  return resource;
}

}  // namespace

ballast::api::Health to_api(healthcheck::Health health) {
  switch (health) {
    case healthcheck::Health::kUnknown:
      return ballast::api::HEALTH_UNKNOWN;
    case healthcheck::Health::kUp:
      return ballast::api::UP;
    case healthcheck::Health::kDown:
      return ballast::api::DOWN;
  }
  return ballast::api::HEALTH_UNKNOWN;
}

healthcheck::Health from_api(ballast::api::Health health) {
  switch (health) {
    case ballast::api::UP:
      return healthcheck::Health::kUp;
    case ballast::api::DOWN:
      return healthcheck::Health::kDown;
    default:
      return healthcheck::Health::kUnknown;
  }
}

std::string key_of(const Resource& resource) {
  switch (resource.resource_case()) {
    case Resource::kService:
      return service_resource_key(resource.service().name());
    case Resource::kVip:
      return "vip/" + resource.vip().address();
    case Resource::kRoute:
      return "route/" + resource.route().prefix();
    case Resource::kNeighbor:
      return fmt::format("neighbor/{}/{}", resource.neighbor().port(),
                         resource.neighbor().address());
    case Resource::kPort:
      return "port/" + resource.port().name();
    case Resource::kSettings:
      return "settings";
    case Resource::RESOURCE_NOT_SET:
      break;
  }
  return {};
}

std::string service_resource_key(const std::string& name) {
  return "service/" + name;
}

std::string neighbor_resource_key(const netlink::NextHop& next_hop) {
  return fmt::format("neighbor/{}/{}", next_hop.link, next_hop.address.to_string());
}

std::string name_in_refusals(const Resource& resource) {
  switch (resource.resource_case()) {
    case Resource::kService:
      return fmt::format("service \"{}\"", resource.service().name());
    case Resource::kVip:
      return "vip " + resource.vip().address();
    case Resource::kRoute:
      return "route " + resource.route().prefix();
    case Resource::kNeighbor:
      return fmt::format("neighbor \"{}\" on \"{}\"", resource.neighbor().address(),
                         resource.neighbor().port());
    case Resource::kPort:
      return fmt::format("port \"{}\"", resource.port().name());
    case Resource::kSettings:
      return "settings";
    case Resource::RESOURCE_NOT_SET:
      break;
  }
  return {};
}

ballast::api::ResourceKey removal_of(const Resource& resource) {
  ballast::api::ResourceKey key;
  switch (resource.resource_case()) {
    case Resource::kService:
      key.set_service(resource.service().name());
      break;
    case Resource::kVip:
      key.set_vip(resource.vip().address());
      break;
    case Resource::kRoute:
      key.set_route(resource.route().prefix());
      break;
    case Resource::kNeighbor:
      key.mutable_neighbor()->set_port(resource.neighbor().port());
      key.mutable_neighbor()->set_address(resource.neighbor().address());
      break;
    case Resource::kPort:
      key.set_port(resource.port().name());
      break;
    case Resource::kSettings:  // there is always one
    case Resource::RESOURCE_NOT_SET:
      break;
  }
  return key;
}

Resource service_resource(const ServiceSettings& settings, const ServerConditions& conditions) {
  Resource resource;
  ballast::api::Service& service = *resource.mutable_service();
  service.set_name(settings.name);
  for (const Listener& each : settings.listeners) {
    ballast::api::Listener& listener = *service.add_listeners();
    listener.set_protocol(static_cast<ballast::api::Protocol>(each.protocol));
    listener.set_address(each.address.to_string());
    listener.set_port(each.port);
  }
  fill_mode(settings, service);
  service.set_scheduler(settings.scheduler);
  service.set_on_no_server(to_api(settings.on_no_server));
  service.set_on_server_down(to_api(settings.on_server_down));
  service.set_sloppy_tcp(settings.sloppy_tcp);
  for (const auto& [state, timeout] : settings.timeouts) {
    (*service.mutable_timeout_seconds())[upper_case(state)] =
        static_cast<uint32_t>(timeout.count());
  }
  for (const ServerSettings& each : settings.servers) {
    const auto condition = conditions.find({settings.name, each.key});
    fill_server(each, condition == conditions.end() ? ServerCondition{} : condition->second,
                *service.add_servers());
  }
  return resource;
}

Resources configured_resources(const Configuration& configuration,
                               const ServerConditions& conditions, const VipLeases& leases) {
  Resources resources;
  const auto add = [&resources](Resource resource) {
    std::string key = key_of(resource);
    resources.emplace(std::move(key), std::move(resource));
  };
  for (const ServiceSettings& service : configuration.services) {
    add(service_resource(service, conditions));
  }
  for (const HeldAddress& held : held_addresses(configuration)) {
    add(vip_resource(held, leases));
  }
  Resource settings;
  settings.mutable_settings()->set_on_no_service(to_api(configuration.daemon.on_no_service));
  for (const Prefix& network : configuration.nat.routed_networks) {
    settings.mutable_settings()->add_routed_networks(network.to_string());
  }
  add(std::move(settings));
  return resources;
}

Resource route_resource(const Prefix& prefix, const netlink::EffectiveRoute& effective) {
  Resource resource;
  ballast::api::Route& route = *resource.mutable_route();
  route.set_prefix(prefix.to_string());
  for (const netlink::RouteHop& each : effective.hops) {
    ballast::api::Hop& hop = *route.add_hops();
    hop.set_port(each.link);
    hop.set_gateway(each.gateway ? each.gateway->to_string() : "");
    hop.set_weight(each.weight);
  }
  return resource;
}

Resource neighbor_resource(const netlink::NextHop& next_hop,
                           const netlink::RememberedNeighbor& remembered) {
  Resource resource;
  ballast::api::Neighbor& neighbor = *resource.mutable_neighbor();
  neighbor.set_port(next_hop.link);
  neighbor.set_address(next_hop.address.to_string());
  switch (remembered.state) {
    case netlink::NeighborState::kUnknown:
      neighbor.set_state(ballast::api::Neighbor::UNKNOWN);
      break;
    case netlink::NeighborState::kKnown:
      neighbor.set_state(ballast::api::Neighbor::REACHABLE);
      neighbor.set_mac(remembered.mac.to_string());
      break;
    case netlink::NeighborState::kFailed:
      neighbor.set_state(ballast::api::Neighbor::FAILED);
      break;
  }
  return resource;
}

Resource port_resource(const std::string& name, const std::string& kernel_interface,
                       const netlink::KernelState& kernel, const std::set<IpAddress>& held) {
  Resource resource;
  ballast::api::Port& port = *resource.mutable_port();
  port.set_name(name);
  std::set<std::string> addresses;  // one address may stand there with several prefix lengths
  for (const netlink::InterfaceAddress& each : netlink::addresses_of(kernel, {name})) {
    if (held.count(each.address) == 0) {
      addresses.insert(each.address.to_string());
    }
  }
  for (const std::string& address : addresses) {
    port.add_addresses(address);
  }
  if (!kernel_interface.empty()) {
    const netlink::Link* link = kernel.link_named(kernel_interface);
    port.set_link_known(true);
    port.set_link_up(link != nullptr && link->up);
  }
  return resource;
}

std::map<netlink::NextHop, MacAddress> neighbors_in(const ballast::api::State& state) {
  std::map<netlink::NextHop, MacAddress> neighbors;
  for (const Resource& resource : state.resources()) {
    const ballast::api::Neighbor& neighbor = resource.neighbor();
    const auto address = IpAddress::parse(neighbor.address());
    const auto mac = MacAddress::parse(neighbor.mac());
    if (resource.has_neighbor() && neighbor.state() == ballast::api::Neighbor::REACHABLE &&
        address && mac) {
      neighbors[{neighbor.port(), *address}] = *mac;
    }
  }
  return neighbors;
}

ServerConditions conditions_in(const ballast::api::State& state) {
  ServerConditions conditions;
  for (const Resource& resource : state.resources()) {
    if (!resource.has_service()) {
      continue;
    }
    for (const ballast::api::Server& server : resource.service().servers()) {
      const auto address = IpAddress::parse(server.address());
      if (address) {
        conditions[{resource.service().name(), {*address, static_cast<uint16_t>(server.port())}}] =
            {from_api(server.health()), server.override()};
      }
    }
  }
  return conditions;
}

}  // namespace ballast::control
