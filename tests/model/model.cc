// Whose packet is it, and the books.
#include "tests/model/model.h"

#include <algorithm>

#include <fmt/format.h>

namespace ballast::model {

std::string to_string(const Flow& flow) {
  const auto end = [](const IpAddress& address, uint16_t port) {
    return address.is_v4() ? fmt::format("{}:{}", address.to_string(), port)
                           : fmt::format("[{}]:{}", address.to_string(), port);
  };
  return fmt::format("{} {} -> {}", flow.protocol == kProtocolTcp ? "tcp" : "udp",
                     end(flow.client, flow.client_port), end(flow.vip, flow.vip_port));
}

Model::Model(const Setup& setup, const LocalPortRange& local_ports, Peek peek,
             Remembered remembered)
    : local_ports_(local_ports), peek_(std::move(peek)), remembered_(std::move(remembered)) {
  configure(setup);
}

void Model::configure(const Setup& setup) {
  setup_ = setup;
  for (const ServiceSetup& service : setup.services) {
    services_[service.name] = service;
  }
}

void Model::set_lease(uint8_t slot, bool forwards, bool answers) {
  leases_[slot] = {forwards, answers};
}

void Model::tick(uint64_t now_ns) {
  now_ns_ = now_ns;
  std::vector<Flow> ended;
  for (auto& [flow, connection] : connections_) {
    if (connection.look_at > seconds()) {
      continue;
    }
    connection.look_at = connection.last_seen + timeout_of(connection);
    if (connection.look_at <= seconds()) {
      ended.push_back(flow);
    }
  }
  for (const Flow& flow : ended) {
    remove(flow);
  }
}

std::string Model::judge(const Incoming& packet, const Fate& actual, uint16_t worker,
                         uint64_t now_ns) {
  now_ns_ = now_ns;
  illegal_.clear();
  clamped_to_ = 0;
  const Case c{packet, actual, dissect(packet.frame), worker, std::nullopt};
  const Prediction expected = expect(c);
  const std::string difference = compare(expected, actual);
  if (!difference.empty()) {
    return difference;
  }
  if (illegal_.empty() && expected.fate.end == End::kHeld && expected.hop) {
    held_[packet.id].prediction = expected;
  }
  return illegal_;
}

// ---------------------------------------------------------------- whose packet is it

Model::Prediction Model::expect(const Case& c) {
  const Dissection& seen = c.seen;
  if (seen.fault != DropReason::kNone) {
    return dropped(seen.fault);
  }
  if (seen.vlan_id != 0 || seen.vlan_tags > 1) {
    return dropped(DropReason::kVlanUnexpected);
  }
  if (get_mac(c.packet.frame, 6) == port_mac(c.packet.port)) {
    return dropped(DropReason::kSourceMacOurs);
  }
  const MacAddress to = get_mac(c.packet.frame, 0);
  switch (seen.sort) {
    case Sort::kArp:
      return expect_arp(c);
    case Sort::kNeighborDiscovery:
      return expect_solicitation(c);
    case Sort::kNotIp:
      if (to.is_multicast()) {
        return to_kernel(c);
      }
      return dropped(to == port_mac(c.packet.port) ? DropReason::kEtherTypeUnknown
                                                   : DropReason::kNotForUs);
    default:
      return expect_ip(c);
  }
}

// A question that is not for the dataplane to answer; nothing when it is.
std::optional<Model::Prediction> Model::refuse_question(const Case& c,
                                                        const std::optional<IpAddress>& target) {
  const MacAddress to = get_mac(c.packet.frame, 0);
  const AddressSetup* ours = target ? setup_.address(*target) : nullptr;
  if (ours == nullptr) {
    return to.is_multicast() || to == port_mac(c.packet.port) ? to_kernel(c)
                                                              : dropped(DropReason::kNotForUs);
  }
  if (!answers(*ours)) {
    return dropped(DropReason::kVipNotOwned);
  }
  if (!to.is_multicast() && !reaches(c, *ours)) {
    return dropped(DropReason::kNotForUs);
  }
  return std::nullopt;
}

Model::Prediction Model::expect_arp(const Case& c) {
  if (auto refused = refuse_question(c, c.seen.destination)) {
    return *refused;
  }
  const Bytes& frame = c.packet.frame;
  const MacAddress mac = mac_of(*setup_.address(c.seen.destination), c.packet.port);
  const MacAddress sender = get_mac(frame, c.seen.network + 8);
  if (get16(frame, c.seen.network + 6) != 1 || c.seen.source == c.seen.destination ||
      sender == mac) {
    return dropped(DropReason::kArpIgnored);
  }
  if (sender.is_multicast() || sender.is_zero() || c.seen.source.is_multicast() ||
      c.seen.source.is_broadcast() || c.seen.source.is_loopback()) {
    return dropped(DropReason::kArpMalformed);
  }
  return answered(c, DropReason::kNone, arp_reply_to(frame, c.seen, mac));
}

Model::Prediction Model::expect_solicitation(const Case& c) {
  std::optional<IpAddress> target;
  if (c.seen.icmp_type == 135) {
    target = get_address(c.packet.frame, c.seen.transport + 8, Family::kIpv6);
  }
  if (auto refused = refuse_question(c, target)) {
    return *refused;
  }
  const AddressSetup& ours = *setup_.address(*target);
  const bool router = ours.slot != 0 || ours.use == Use::kGateway;
  return answered(c, DropReason::kNone,
                  advertisement_for(c.packet.frame, c.seen, mac_of(ours, c.packet.port), router));
}

Model::Prediction Model::expect_ip(const Case& c) {
  const AddressSetup* ours = setup_.address(c.seen.destination);
  if (get_mac(c.packet.frame, 0).is_multicast()) {
    return ours != nullptr ? dropped(DropReason::kNotForUs) : to_kernel(c);
  }
  if (ours != nullptr) {
    if (!forwards(*ours)) {
      return dropped(DropReason::kVipNotOwned);
    }
    if (!reaches(c, *ours)) {
      return dropped(DropReason::kNotForUs);
    }
    return expect_for_ours(c, *ours);
  }
  if (!reaches_gateway(c)) {
    return dropped(DropReason::kNotForUs);
  }
  if (setup_.is_node(c.seen.destination)) {
    return to_kernel(c);
  }
  return expect_for_others(c);
}

Model::Prediction Model::expect_for_ours(const Case& c, const AddressSetup& ours) {
  const Dissection& seen = c.seen;
  switch (seen.sort) {
    case Sort::kTransport:
    case Sort::kLaterFragment:
      if (ours.use == Use::kGateway) {
        return refuse(c, ours.address, DropReason::kNoService, setup_.answers_no_service);
      }
      return expect_transport(c, &ours);
    case Sort::kIcmpError:
      return expect_error(c, ours);
    case Sort::kEchoRequest: {
      if (!answers(ours)) {
        return dropped(DropReason::kVipNotOwned);
      }
      if (!ours.answers_ping) {
        return dropped(DropReason::kIcmpOther);
      }
      if (seen.is_fragment()) {
        return dropped(DropReason::kFragmentLater);
      }
      if (get_mac(c.packet.frame, 6).is_multicast()) {
        return dropped(DropReason::kSourceAddress);
      }
      Written reply = echo_reply_to(c.packet.frame, seen);
      Prediction prediction = answered(c, DropReason::kNone, std::move(reply.frame));
      prediction.either_zero = reply.either_zero;
      return prediction;
    }
    case Sort::kIcmpOther:
      return dropped(DropReason::kIcmpOther);
    default:
      return dropped(DropReason::kProtocolUnsupported);
  }
}

// Something with ports: a whole packet, a fragment. `ours`: null for a reply in NAT.
Model::Prediction Model::expect_transport(const Case& c, const AddressSetup* ours) {
  const Dissection& seen = c.seen;
  if (seen.is_fragment() && !c.ports) {
    return expect_fragment(c, ours);
  }
  const Ports ports =
      c.ports.value_or(Ports{seen.source_port, seen.destination_port, seen.protocol});
  if (ours == nullptr || ours->use == Use::kLocal) {
    return from_server(
        c, ours,
        {{seen.source, ports.source}, {seen.destination, ports.destination}, ports.protocol});
  }
  client_macs_[{seen.source, c.packet.port}].insert(get_mac(c.packet.frame, 6));
  return from_client(
      c, *ours, {seen.source, ports.source, seen.destination, ports.destination, ports.protocol});
}

// About a packet that went from a VIP to a client, or from a local address to a server.
Model::Prediction Model::expect_error(const Case& c, const AddressSetup& ours) {
  const Quote& quote = c.seen.quote;
  if (!quote.has_ports || ours.use == Use::kGateway) {
    return dropped(DropReason::kIcmpUnmatched);
  }
  if (ours.use == Use::kLocal) {
    return from_server(c, &ours,
                       {{quote.destination, quote.destination_port},
                        {quote.source, quote.source_port},
                        quote.protocol});
  }
  return error_from_client(
      c, ours,
      {quote.destination, quote.destination_port, quote.source, quote.source_port, quote.protocol});
}

// What a router is sent: a server's reply in NAT, or something that is none of ours.
Model::Prediction Model::expect_for_others(const Case& c) {
  const auto is_nat_server = [&](const IpAddress& address) {
    const bool is_now =
        std::any_of(setup_.services.begin(), setup_.services.end(), [&](const auto& service) {
          return service.mode == Mode::kNat &&
                 std::any_of(service.servers.begin(), service.servers.end(),
                             [&](const auto& server) { return server.address == address; });
        });
    const bool has_connections =
        std::any_of(connections_.begin(), connections_.end(), [&](const auto& each) {
          return each.second.server.mode == Mode::kNat && each.second.server.address == address;
        });
    // One that is gone is forgotten when the main thread comes to it: when, is free.
    return is_now || has_connections || remembered_(address);
  };
  const Dissection& seen = c.seen;
  if (seen.sort == Sort::kIcmpError && seen.quote.has_ports &&
      is_nat_server(seen.quote.destination)) {
    return from_server(c, nullptr,
                       {{seen.quote.destination, seen.quote.destination_port},
                        {seen.quote.source, seen.quote.source_port},
                        seen.quote.protocol});
  }
  const bool is_of_a_flow =
      seen.sort == Sort::kTransport || (seen.sort == Sort::kLaterFragment && may_have_ports(seen));
  if (is_of_a_flow && is_nat_server(seen.source)) {
    return expect_transport(c, nullptr);
  }
  return otherwise_routed(c, DropReason::kTransit);
}

// ---------------------------------------------------------------- the books

bool Model::forwards(const AddressSetup& address) const {
  const auto lease = leases_.find(address.slot);
  return lease == leases_.end() || lease->second.first;
}

bool Model::answers(const AddressSetup& address) const {
  const auto lease = leases_.find(address.slot);
  return lease == leases_.end() || (lease->second.first && lease->second.second);
}

MacAddress Model::mac_of(const AddressSetup& address, PortIndex port) const {
  return address.virtual_mac.is_zero() ? port_mac(port) : address.virtual_mac;
}

bool Model::reaches(const Case& c, const AddressSetup& address) const {
  const MacAddress to = get_mac(c.packet.frame, 0);
  return to == port_mac(c.packet.port) || to == mac_of(address, c.packet.port);
}

bool Model::reaches_gateway(const Case& c) const {
  const MacAddress to = get_mac(c.packet.frame, 0);
  return to == port_mac(c.packet.port) ||
         std::any_of(setup_.addresses.begin(), setup_.addresses.end(), [&](const auto& each) {
           return each.use == Use::kGateway && each.virtual_mac == to && forwards(each);
         });
}

bool Model::accepts(const ServerId& id) const {
  const ServiceSetup* service = setup_.service(id.service);
  return service != nullptr && service->mode == id.mode &&
         std::any_of(
             service->servers.begin(), service->servers.end(), [&](const ServerSetup& server) {
               return server.address == id.address && server.port == id.port && !server.disabled;
             });
}

std::vector<ServerId> Model::usable(const ServiceSetup& service, Family family) const {
  std::vector<ServerId> servers;
  for (const ServerSetup& server : service.servers) {
    if (!server.disabled && server.weight != 0 &&
        (service.mode == Mode::kTun || server.address.family() == family)) {
      servers.push_back({service.name, server.address, server.port, service.mode});
    }
  }
  return servers;
}

Model::Return Model::return_of(const Connection& connection) const {
  return {{connection.server.address, port_of(connection.server, connection.flow)},
          connection.local.value_or(End16{connection.flow.client, connection.flow.client_port}),
          connection.flow.protocol};
}

uint32_t Model::timeout_of(const Connection& connection) const {
  const ServiceSetup& service = service_of(connection.server);
  const auto seconds_of = [&](State state) {
    const auto named = service.timeouts.find(name_of(state));
    return named == service.timeouts.end() ? default_timeout(state) : named->second;
  };
  // An established connection that was met in its middle, and not proven since. A service that is
  // gone has no scheduler any more.
  if (connection.state == State::kEstablished && !connection.trusted && service.hashes() &&
      service.mode != Mode::kFullNat && setup_.service(service.name) != nullptr) {
    return std::min(seconds_of(connection.state), seconds_of(State::kSynReceived));
  }
  return seconds_of(connection.state);
}

void Model::arm(Connection& connection) {
  connection.last_seen = seconds();
  connection.look_at = seconds() + timeout_of(connection);
}

void Model::set_state(Connection& connection, State state) {
  if (state != connection.state) {
    connection.state = state;
    arm(connection);
  }
}

void Model::advance(uint32_t& end, const Dissection& segment) {
  const uint32_t next = segment.sequence + static_cast<uint32_t>(segment.payload) +
                        ((segment.tcp_flags & kFlagSyn) != 0 ? 1U : 0U) +
                        ((segment.tcp_flags & kFlagFin) != 0 ? 1U : 0U);
  if (static_cast<int32_t>(next - end) > 0) {
    end = next;
  }
}

Model::Connection* Model::find(const Flow& flow) {
  const auto found = connections_.find(flow);
  return found == connections_.end() ? nullptr : &found->second;
}

void Model::add(const Connection& connection) {
  connections_[connection.flow] = connection;
  if (connection.server.mode == Mode::kNat || connection.server.mode == Mode::kFullNat) {
    returns_[return_of(connection)] = connection.flow;
  }
}

void Model::remove(const Flow& flow) {
  const Connection& connection = connections_.at(flow);
  if (connection.server.mode == Mode::kNat || connection.server.mode == Mode::kFullNat) {
    returns_.erase(return_of(connection));
  }
  if (connection.local) {
    // In TIME_WAIT a server may be that has seen the whole of a connection, and did not reset it.
    const bool may_wait = flow.protocol == kProtocolTcp && !connection.server_reset &&
                          (connection.server_acknowledged || connection.server_fin) &&
                          seconds() - connection.last_seen <= local_ports_.time_wait;
    resting_[return_of(connection)] = {seconds(), may_wait};
  }
  connections_.erase(flow);
}

// All packets of a connection are decided by one worker.
std::string Model::note_worker(const Flow& flow, uint16_t worker) {
  Connection* connection = find(flow);
  if (connection == nullptr || !connection->worker) {
    if (connection != nullptr) {
      connection->worker = worker;
    }
    return {};
  }
  return *connection->worker == worker
             ? std::string()
             : fmt::format("{} is worker {}'s, and worker {} decided its packet", to_string(flow),
                           *connection->worker, worker);
}

std::optional<Model::FlowServer> Model::known(const Flow& flow) const {
  const auto found = connections_.find(flow);
  if (found == connections_.end()) {
    return std::nullopt;
  }
  const Connection& connection = found->second;
  return FlowServer{connection.server, port_of(connection.server, flow), connection.local};
}

}  // namespace ballast::model
