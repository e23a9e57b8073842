#include "dataplane/world/desired_state.h"

#include <utility>

namespace ballast {
namespace {

template <typename Key, typename Value>
void commit_map(const Changes<Key, Value>& changes, std::map<Key, Value>& into) {
  for (const auto& [key, value] : changes) {
    if (value) {
      into.insert_or_assign(key, *value);
    } else {
      into.erase(key);
    }
  }
}

void write(const TunnelSpecification& tunnel, api::Tunnel& out) {
  out.set_encapsulation(to_api(tunnel.encapsulation));
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    if (const std::optional<Prefix>& source = tunnel.source(family)) {
      out.add_sources(source->to_string());
    }
  }
  if (tunnel.encapsulation == Encapsulation::kGue) {
    out.set_gue_port(tunnel.gue_port.to_host());
    out.set_no_udp_checksum(tunnel.checksum == TunnelChecksum::kNone);
  }
}

void write(const ServiceSpecification& service, api::Service& out) {
  out.set_name(service.name);
  for (const Listener& listener : service.listeners) {
    api::Listener& one = *out.add_listeners();
    one.set_protocol(listener.protocol == IpProtocol::kTcp ? api::TCP : api::UDP);
    one.set_address(listener.vip.to_string());
    one.set_port(listener.port.to_host());
  }
  out.set_mode(to_api(service.mode));
  out.set_scheduler(service.scheduler);
  for (const ServerSpecification& server : service.servers) {
    api::Server& one = *out.add_servers();
    one.set_address(server.address.to_string());
    one.set_port(server.port.to_host());
    one.set_weight(server.weight);
    one.set_configured_weight(server.configured_weight);
    one.set_health(server.health);
    one.set_override(server.override_in_force);
  }
  out.set_on_no_server(to_api(service.on_no_server));
  out.set_on_server_down(to_api(service.on_server_down));
  out.set_sloppy_tcp(service.sloppy_tcp);
  for (const IpAddress& address : service.local_addresses) {
    out.add_local_addresses(address.to_string());
  }
  if (service.mode == ForwardingMode::kTunnel) {
    write(service.path.tunnel, *out.mutable_tunnel());
  }
  out.set_mss(service.path.mss);
  out.set_mss_auto(service.path.mss_auto);
  out.set_one_packet(service.one_packet);
  for (size_t state = 0; state < kConnectionStates; ++state) {
    if (service.timeout_seconds[state] != 0) {
      const std::string name(name_of(static_cast<ConnectionState>(state)));
      (*out.mutable_timeout_seconds())[name] = service.timeout_seconds[state];
    }
  }
}

void write(const VipSpecification& vip, api::Vip& out) {
  out.set_address(vip.address.to_string());
  out.set_lease_slot(index(vip.lease));
  if (!vip.virtual_mac.is_zero()) {
    out.set_virtual_mac(vip.virtual_mac.to_string());
  }
  out.set_ignore_ping(vip.ignore_ping);
  out.set_use(to_api(vip.role));
}

void write(const Route& route, std::span<const std::string> port_names, api::Route& out) {
  out.set_prefix(route.prefix.to_string());
  for (const RouteHop& hop : route.hops) {
    api::Hop& one = *out.add_hops();
    one.set_port(port_names[index(hop.port)]);
    if (hop.gateway) {
      one.set_gateway(hop.gateway->to_string());
    }
    one.set_weight(hop.weight);
  }
}

void write(const NeighborSpecification& neighbor, api::Neighbor& out) {
  switch (neighbor.state) {
    case NeighborState::kUnknown:
      out.set_state(api::Neighbor::UNKNOWN);
      break;
    case NeighborState::kReachable:
      out.set_state(api::Neighbor::REACHABLE);
      out.set_mac(neighbor.mac.to_string());
      break;
    case NeighborState::kFailed:
    case NeighborState::kOurs:  // derived, never in a transaction
      out.set_state(api::Neighbor::FAILED);
      break;
  }
}

}  // namespace

void DesiredState::commit(const ChangeSet& changes, std::shared_ptr<const RouteTable> routes) {
  generation_ = changes.generation;
  commit_services(changes);
  commit_map(changes.vips, vips_);
  commit_map(changes.neighbors, neighbors_);
  commit_map(changes.ports, ports_);
  routes_ = std::move(routes);
  if (changes.settings) {
    settings_ = *changes.settings;
  }
}

void DesiredState::commit_services(const ChangeSet& changes) {
  for (const auto& [name, service] : changes.services) {
    const auto former = services_.find(name);
    if (former != services_.end()) {
      servers_ -= former->second->servers.size();
      for (const Listener& listener : former->second->listeners) {
        listeners_.erase(listener);
      }
    }
  }
  commit_map(changes.services, services_);
  for (const auto& [name, service] : changes.services) {
    if (service) {
      servers_ += (*service)->servers.size();
      for (const Listener& listener : (*service)->listeners) {
        listeners_.emplace(listener, name);
      }
    }
  }
}

api::State DesiredState::to_api(std::span<const std::string> port_names) const {
  api::State state;
  state.set_generation(generation_);
  if (settings_) {
    api::Settings& out = *state.add_resources()->mutable_settings();
    out.set_on_no_service(ballast::to_api(settings_->on_no_service));
    for (const Prefix& network : settings_->routed_networks) {
      out.add_routed_networks(network.to_string());
    }
  }
  for (const auto& [port, specification] : ports_) {
    api::Port& out = *state.add_resources()->mutable_port();
    out.set_name(port_names[index(port)]);
    for (const IpAddress& address : specification.addresses) {
      out.add_addresses(address.to_string());
    }
    out.set_link_up(specification.link_up);
    out.set_link_known(specification.link_known);
  }
  for (const auto& [address, vip] : vips_) {
    write(vip, *state.add_resources()->mutable_vip());
  }
  for (const auto& [name, service] : services_) {
    write(*service, *state.add_resources()->mutable_service());
  }
  for (const Route& route : routes_->all()) {
    write(route, port_names, *state.add_resources()->mutable_route());
  }
  for (const auto& [key, neighbor] : neighbors_) {
    api::Neighbor& out = *state.add_resources()->mutable_neighbor();
    out.set_port(port_names[index(key.first)]);
    out.set_address(key.second.to_string());
    write(neighbor, out);
  }
  return state;
}

}  // namespace ballast
