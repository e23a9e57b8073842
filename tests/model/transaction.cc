#include "tests/model/transaction.h"

namespace ballast::model {
namespace {

api::Mode mode_of(Mode mode) {
  switch (mode) {
    case Mode::kDr:
      return api::DR;
    case Mode::kNat:
      return api::NAT;
    case Mode::kFullNat:
      return api::FULLNAT;
    case Mode::kTun:
      return api::TUN;
  }
  return api::MODE_UNSPECIFIED;
}

api::OnServerDown action_of(OnDown action) {
  switch (action) {
    case OnDown::kKeep:
      return api::KEEP;
    case OnDown::kReset:
      return api::RESET;
    case OnDown::kReschedule:
      return api::RESCHEDULE;
  }
  return api::KEEP;
}

api::Encapsulation encapsulation_of(Wrapping wrapping) {
  switch (wrapping) {
    case Wrapping::kIpip:
      return api::IPIP;
    case Wrapping::kGre:
      return api::GRE;
    case Wrapping::kGue:
      return api::GUE;
  }
  return api::IPIP;
}

void write_tunnel(const ServiceSetup& from, api::Service& to) {
  api::Tunnel& tunnel = *to.mutable_tunnel();
  tunnel.set_encapsulation(encapsulation_of(from.wrapping));
  if (from.sources_v4) {
    tunnel.add_sources(from.sources_v4->to_string());
  }
  if (from.sources_v6) {
    tunnel.add_sources(from.sources_v6->to_string());
  }
}

void write(const ServiceSetup& from, api::Service& to) {
  to.set_name(from.name);
  to.set_mode(mode_of(from.mode));
  to.set_scheduler(from.scheduler);
  for (const ListenerSetup& one : from.listeners) {
    api::Listener& listener = *to.add_listeners();
    listener.set_protocol(one.protocol == 6 ? api::TCP : api::UDP);
    listener.set_address(one.vip.to_string());
    listener.set_port(one.port);
  }
  for (const ServerSetup& one : from.servers) {
    api::Server& server = *to.add_servers();
    server.set_address(one.address.to_string());
    server.set_port(one.port);
    server.set_weight(one.disabled ? 0 : one.weight);
    server.set_configured_weight(one.weight);
    server.set_override(one.disabled ? api::DISABLED : api::NO_OVERRIDE);
  }
  to.set_on_no_server(from.answers ? api::ANSWER : api::DROP);
  to.set_on_server_down(action_of(from.on_down));
  to.set_sloppy_tcp(from.sloppy);
  to.set_one_packet(from.one_packet);
  for (const auto& [state, seconds] : from.timeouts) {
    (*to.mutable_timeout_seconds())[state] = seconds;
  }
  for (const IpAddress& address : from.local_addresses) {
    if (from.mode == Mode::kFullNat) {
      to.add_local_addresses(address.to_string());
    }
  }
  if (from.mode == Mode::kTun) {
    write_tunnel(from, to);
  }
  to.set_mss(from.mss);
  to.set_mss_auto(from.mss_auto);
}

void write(const AddressSetup& from, api::Vip& to) {
  to.set_address(from.address.to_string());
  to.set_lease_slot(from.slot);
  if (!from.virtual_mac.is_zero()) {
    to.set_virtual_mac(from.virtual_mac.to_string());
  }
  to.set_ignore_ping(!from.answers_ping);
  to.set_use(from.use == Use::kServices  ? api::SERVICES
             : from.use == Use::kGateway ? api::GATEWAY
                                         : api::LOCAL);
}

void write(const NeighborSetup& from, const Setup& setup, api::Neighbor& to) {
  to.set_port(setup.ports[index(from.port)].name);
  to.set_address(from.address.to_string());
  if (from.state == Known::kReachable) {
    to.set_mac(from.mac.to_string());
  }
  to.set_state(from.state == Known::kReachable ? api::Neighbor::REACHABLE
               : from.state == Known::kFailed  ? api::Neighbor::FAILED
                                               : api::Neighbor::UNKNOWN);
}

}  // namespace

api::Transaction transaction_of(const Setup& setup, uint64_t generation) {
  api::Transaction transaction;
  transaction.set_generation(generation);
  transaction.set_full(true);
  for (const ServiceSetup& service : setup.services) {
    write(service, *transaction.add_upsert()->mutable_service());
  }
  for (const AddressSetup& address : setup.addresses) {
    write(address, *transaction.add_upsert()->mutable_vip());
  }
  for (const RouteSetup& one : setup.routes) {
    api::Route& route = *transaction.add_upsert()->mutable_route();
    route.set_prefix(one.prefix.to_string());
    api::Hop& hop = *route.add_hops();
    hop.set_port(setup.ports[index(one.port)].name);
    if (one.gateway) {
      hop.set_gateway(one.gateway->to_string());
    }
  }
  for (const NeighborSetup& one : setup.neighbors) {
    write(one, setup, *transaction.add_upsert()->mutable_neighbor());
  }
  for (const PortSetup& one : setup.ports) {
    api::Port& port = *transaction.add_upsert()->mutable_port();
    port.set_name(one.name);
    for (const IpAddress& address : one.addresses) {
      port.add_addresses(address.to_string());
    }
  }
  api::Settings& settings = *transaction.add_upsert()->mutable_settings();
  settings.set_on_no_service(setup.answers_no_service ? api::ANSWER : api::DROP);
  for (const Prefix& prefix : setup.routed_networks) {
    settings.add_routed_networks(prefix.to_string());
  }
  return transaction;
}

}  // namespace ballast::model
