// Packets from servers, in NAT and FULLNAT.
#include <algorithm>

#include "tests/model/model.h"

namespace ballast::model {

Model::Prediction Model::from_server(const Case& c, const AddressSetup* local, const Return& key) {
  const auto found = returns_.find(key);
  if (found == returns_.end()) {
    return unknown_reply(c, local);
  }
  Connection& connection = connections_.at(found->second);
  const Flow flow = connection.flow;
  const AddressSetup* vip = setup_.address(flow.vip);
  if (vip == nullptr || !forwards(*vip)) {
    return dropped(DropReason::kVipNotOwned);
  }
  illegal_ = note_worker(flow, c.worker);
  const Dissection& seen = c.seen;
  if (seen.sort == Sort::kIcmpError) {
    const uint32_t end = connection.next_sequence + (connection.trusted ? 0 : 65535);
    if (flow.protocol == kProtocolTcp &&
        end - get32(c.packet.frame, seen.quote.transport + 4) > 1U << 24) {
      return dropped(DropReason::kIcmpSequence);
    }
    return to_client(c, local, flow, connection.server, &connection);
  }
  if (!accepts(connection.server) && service_of(connection.server).on_down != OnDown::kKeep) {
    return dropped(DropReason::kServerGone);
  }
  connection.last_seen = seconds();
  if (seen.sort == Sort::kTransport && seen.protocol == kProtocolTcp) {
    const uint8_t flags = seen.tcp_flags;
    if ((flags & kFlagRst) != 0) {
      connection.server_reset = true;
    } else {
      if ((flags & kFlagSyn) != 0 && !connection.server_acknowledged) {
        connection.server_next_sequence = seen.sequence + 1;
        connection.server_seen = true;
      } else if ((flags & kFlagSyn) == 0 && !connection.server_seen) {
        connection.server_next_sequence = seen.sequence;
        connection.server_seen = true;
      }
      connection.server_fin |= (flags & kFlagFin) != 0;
    }
    set_state(connection, next_state(connection.state, flags, Seen::kOutput));
  }
  return to_client(c, local, flow, connection.server, &connection);
}

Model::Prediction Model::to_client(const Case& c, const AddressSetup* local, const Flow& flow,
                                   const ServerId& server, Connection* connection) {
  const std::optional<Setup::Hop> hop = setup_.hop_to(flow.client);
  if (!hop) {
    return dropped(DropReason::kNoRoute);
  }
  std::optional<MacAddress> mac;
  if (!hop->gateway) {
    if (connection != nullptr && connection->client_mac && connection->client_port == hop->port) {
      mac = connection->client_mac;
    } else if (c.actual.end == End::kDropped && c.actual.reason == DropReason::kNeighborTimeout) {
      return dropped(DropReason::kNeighborTimeout);  // until the main thread has been asked
    } else if (const auto macs = client_macs_.find({flow.client, hop->port});
               macs != client_macs_.end() && c.actual.frame.size() >= 6 &&
               macs->second.contains(get_mac(c.actual.frame, 0))) {
      mac = get_mac(c.actual.frame, 0);  // another packet of the client's has shown it
    }
  }
  const std::optional<Setup::Hop> server_hop = setup_.hop_to(server.address);
  clamped_to_ = server_hop ? mss_of(server, *server_hop, c.seen.family) : uint16_t{0};
  const PortSetup& port = setup_.ports[index(hop->port)];
  uint16_t fragment_mtu = 0;
  if (c.seen.length() > port.mtu) {
    if (!c.seen.is_v4() || c.seen.dont_fragment) {
      return too_big(c, local, port.mtu);
    }
    fragment_mtu = port.mtu;
  }
  if (connection != nullptr && connection->server_acknowledged && c.seen.sort == Sort::kTransport &&
      c.seen.protocol == kProtocolTcp && (c.seen.tcp_flags & kFlagRst) == 0) {
    advance(connection->server_next_sequence, c.seen);
  }
  if (c.seen.ttl <= 1) {
    return expired(c, local);
  }
  Ends ends;
  ends.source = End16{flow.vip, flow.vip_port};
  if (server.mode == Mode::kFullNat) {
    ends.destination = End16{flow.client, flow.client_port};
  }
  const Bytes frame =
      clamped_to_ == 0 ? c.packet.frame : clamp(c.packet.frame, c.seen, clamped_to_).frame;
  Written written = c.seen.sort == Sort::kIcmpError ? translate_error(frame, c.seen, ends, true)
                                                    : translate(frame, c.seen, ends, true);
  if (!mac) {
    Prediction prediction = send(c, std::move(written), *hop, fragment_mtu);
    prediction.vip = flow.vip;
    return prediction;
  }
  if (!port.up) {
    return dropped(DropReason::kPortDown);
  }
  Prediction prediction;
  prediction.fate.end = End::kSent;
  prediction.fate.out_port = hop->port;
  prediction.fate.fragment_mtu = fragment_mtu;
  prediction.either_zero = written.either_zero;
  prediction.fate.frame = std::move(written.frame);
  put_mac(prediction.fate.frame, 6, port.mac);
  put_mac(prediction.fate.frame, 0, *mac);
  // A client's new MAC is noted with its first packet of a second.
  if (connection != nullptr && connection->former_client_mac && c.actual.frame.size() >= 6 &&
      get_mac(c.actual.frame, 0) == *connection->former_client_mac) {
    put_mac(prediction.fate.frame, 0, *connection->former_client_mac);
  }
  return prediction;
}

// What is no connection's goes to the kernel where it is from or to a network that it may route.
Model::Prediction Model::otherwise_routed(const Case& c, DropReason reason) {
  const bool routed = std::any_of(
      setup_.routed_networks.begin(), setup_.routed_networks.end(), [&](const Prefix& network) {
        const auto holds = [&](const IpAddress& address) {
          return network.address.family() == address.family() && network.contains(address);
        };
        return holds(c.seen.source) || holds(c.seen.destination);
      });
  return routed ? to_kernel(c) : dropped(reason);
}

Model::Prediction Model::unknown_reply(const Case& c, const AddressSetup* local) {
  if (c.seen.sort == Sort::kIcmpError) {
    return dropped(DropReason::kIcmpUnmatched);
  }
  if (local != nullptr) {
    return refuse(c, local->address, DropReason::kReplyUnmatched, c.seen.protocol == kProtocolTcp);
  }
  const auto found = flow_of_reply(c);
  if (!found) {
    return otherwise_routed(c, DropReason::kReplyUnmatched);
  }
  const auto& [flow, server] = *found;
  const bool alone = service_of(server).one_packet && flow.protocol == kProtocolUdp;
  if (find(flow) != nullptr && !alone) {
    return dropped(DropReason::kReplyUnmatched);  // it has another server
  }
  if ((c.seen.tcp_flags & kFlagRst) != 0 || alone) {
    return to_client(c, nullptr, flow, server, nullptr);
  }
  Connection connection;
  connection.flow = flow;
  connection.server = server;
  connection.worker = c.worker;
  connection.state = State::kUdp;
  if (flow.protocol == kProtocolTcp) {
    // A server's SYN answers the client's: it is no server that opens a connection.
    connection.state = (c.seen.tcp_flags & kFlagSyn) != 0
                           ? State::kSynReceived
                           : next_state(State::kNone, c.seen.tcp_flags, Seen::kOutput);
    connection.next_sequence = c.seen.acknowledgement;
    connection.server_seen = true;
    connection.server_next_sequence =
        c.seen.sequence + ((c.seen.tcp_flags & kFlagSyn) != 0 ? 1U : 0U);
    connection.server_fin = (c.seen.tcp_flags & kFlagFin) != 0;
  }
  arm(connection);
  add(connection);
  return to_client(c, nullptr, flow, server, find(flow));
}

// NAT: the one flow that a hash, or else one_packet, leads to this server, if what came out says so
// and nothing that is known speaks against it.
std::optional<std::pair<Flow, ServerId>> Model::flow_of_reply(const Case& c) {
  const Dissection& seen = c.seen;
  const Ports ports =
      c.ports.value_or(Ports{seen.source_port, seen.destination_port, seen.protocol});
  if (ports.protocol == kProtocolTcp && (seen.tcp_flags & (kFlagSyn | kFlagAck)) == kFlagSyn) {
    return std::nullopt;
  }
  struct Possible {
    Flow flow;
    ServerId server;
    bool by_hash = false;  // or may be
    bool sure = false;     // that it is what `by_hash` says
    bool alone = false;
  };
  std::vector<Possible> possible;
  for (const ServiceSetup& service : setup_.services) {
    const bool alone = service.one_packet && ports.protocol == kProtocolUdp;
    const bool hashes = service.hashes() && (alone || seen.sort != Sort::kLaterFragment);
    if (service.mode != Mode::kNat || (!hashes && !alone)) {
      continue;
    }
    for (const ListenerSetup& listener : service.listeners) {
      const AddressSetup* vip = setup_.address(listener.vip);
      for (const ServerSetup& server : service.servers) {
        const Flow flow{seen.destination, ports.destination, listener.vip, listener.port,
                        listener.protocol};
        const ServerId id{service.name, server.address, server.port, service.mode};
        if (server.disabled || server.address != seen.source || port_of(id, flow) != ports.source ||
            listener.protocol != ports.protocol || listener.vip.family() != seen.family ||
            vip == nullptr || !forwards(*vip)) {
          continue;
        }
        Possible one{flow, id, hashes && server.weight != 0, true, alone};
        if (one.by_hash) {
          const auto hash = hashed_.find({service.name, flow});
          one.sure = hash != hashed_.end() && hash->second.first == pool_of(service, seen.family);
          one.by_hash = !one.sure || hash->second.second == id;
        }
        if (one.by_hash || alone) {
          possible.push_back(one);
        }
      }
    }
  }
  const auto surely = std::count_if(possible.begin(), possible.end(),
                                    [](const Possible& each) { return each.by_hash && each.sure; });
  const bool maybe = std::any_of(possible.begin(), possible.end(),
                                 [](const Possible& each) { return each.by_hash && !each.sure; });
  if (surely != 0) {  // then it is no matter where one_packet may have led
    std::erase_if(possible, [](const Possible& each) { return !each.by_hash; });
  }
  if (possible.empty() || surely > 1 || (surely == 0 && !maybe && possible.size() > 1)) {
    return std::nullopt;
  }
  // What came out says which; without anything that came out, there is none, or more than one.
  const Fate& actual = c.actual;
  if (actual.end == End::kKernel ||
      (actual.end == End::kDropped && actual.reason == DropReason::kReplyUnmatched)) {
    for (const Possible& each : possible) {
      if (actual.end == End::kDropped && find(each.flow) != nullptr && !each.alone) {
        return std::pair(each.flow, each.server);
      }
    }
    const bool must = possible.size() == 1 && (possible[0].sure || possible[0].alone);
    return must ? std::optional(std::pair(possible[0].flow, possible[0].server)) : std::nullopt;
  }
  const auto without_entry =
      std::find_if(possible.begin(), possible.end(),
                   [&](const Possible& each) { return each.alone || find(each.flow) == nullptr; });
  const Possible* taken = without_entry == possible.end() ? &possible.front() : &*without_entry;
  bool visible = possible.size() == 1;
  if (actual.end == End::kSent && actual.reason == DropReason::kNone) {
    const Dissection out = dissect(actual.frame);
    for (const Possible& each : possible) {
      if (out.source == each.flow.vip &&
          (out.sort == Sort::kLaterFragment || out.source_port == each.flow.vip_port)) {
        taken = &each;
        visible = true;
      }
    }
  } else if (peek_) {
    for (const Possible& each : possible) {
      const std::optional<Choice> choice = peek_(each.flow);
      if (choice && choice->server == each.server.address && find(each.flow) == nullptr) {
        taken = &each;
        visible = true;
      }
    }
    for (const Possible& each : possible) {
      taken = !visible && each.alone ? &each : taken;  // only these leave no entry
    }
  }
  // A datagram by itself may be any server's.
  if (visible && service_of(taken->server).hashes() && !taken->alone) {
    hashed_[{taken->server.service, taken->flow}] = {
        pool_of(service_of(taken->server), seen.family), taken->server};
  }
  return std::pair(taken->flow, taken->server);
}

}  // namespace ballast::model
