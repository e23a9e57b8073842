// Packets from clients.
#include <algorithm>

#include <fmt/format.h>

#include "tests/model/model.h"

namespace ballast::model {
namespace {

bool is_first(const Dissection& seen) {
  return (seen.tcp_flags & (kFlagSyn | kFlagAck)) == kFlagSyn;
}

bool is_tcp(const Dissection& seen) {
  return seen.sort == Sort::kTransport && seen.protocol == kProtocolTcp;
}

bool follows_from_flow(const ServiceSetup& service) {
  return service.mode != Mode::kFullNat && service.hashes();
}

bool translates(Mode mode) {
  return mode == Mode::kNat || mode == Mode::kFullNat;
}

// RFC 9293 section 3.4, within a window that is not scaled.
bool continues(uint32_t from, uint32_t number) {
  return number - from <= 65535;
}

uint32_t behind(const Dissection& seen) {
  return seen.sequence + static_cast<uint32_t>(seen.payload) +
         ((seen.tcp_flags & kFlagSyn) != 0 ? 1U : 0U) +
         ((seen.tcp_flags & kFlagFin) != 0 ? 1U : 0U);
}

}  // namespace

std::string Model::pool_of(const ServiceSetup& service, Family family) {
  std::string text;
  for (const ServerSetup& server : service.servers) {
    if (service.mode == Mode::kTun || server.address.family() == family) {
      text += fmt::format("{} {} {} {} ", server.address.to_string(), server.port, server.weight,
                          server.disabled);
    }
  }
  return service.scheduler + " " + text;
}

Model::Prediction Model::from_client(const Case& c, const AddressSetup& vip, const Flow& flow) {
  Connection* connection = find(flow);
  if (connection != nullptr && is_closing(connection->state) && is_tcp(c.seen) &&
      is_first(c.seen)) {
    remove(flow);  // the client uses its port again
    connection = nullptr;
  }
  if (connection == nullptr) {
    return open(c, vip, flow);
  }
  if (!accepts(connection->server)) {
    const OnDown action = service_of(connection->server).on_down;
    if (action != OnDown::kKeep) {
      remove(flow);
      return action == OnDown::kReschedule ? open(c, vip, flow)
                                           : refuse(c, vip.address, DropReason::kServerGone, true);
    }
  }
  illegal_ = note_worker(flow, c.worker);
  connection->last_seen = seconds();
  note_client(c, *connection);
  if (is_tcp(c.seen)) {
    track_client(c, *connection);
  } else if (!connection->trusted) {
    connection->trusted = true;
    arm(*connection);
  }
  return to_server(c, vip, flow, connection->server, connection->local);
}

// The way back to a client on the port's own network.
void Model::note_client(const Case& c, Connection& connection) {
  const MacAddress mac = get_mac(c.packet.frame, 6);
  if (connection.client_mac && connection.client_port == c.packet.port &&
      *connection.client_mac != mac) {
    connection.former_client_mac = connection.client_mac;
    connection.client_mac = mac;
    connection.client_mac_since = seconds();
  }
}

void Model::track_client(const Case& c, Connection& connection) {
  const Dissection& seen = c.seen;
  const Mode mode = connection.server.mode;
  if (is_first(seen) && !connection.trusted) {
    connection.next_sequence = seen.sequence + 1;
  }
  if (!connection.trusted) {
    if (translates(mode) && (seen.tcp_flags & kFlagAck) != 0 && connection.server_seen &&
        continues(connection.server_next_sequence, seen.acknowledgement)) {
      connection.server_acknowledged = true;
    }
    const bool acknowledges =
        !translates(mode) || ((seen.tcp_flags & kFlagAck) != 0 && connection.server_acknowledged);
    if ((seen.tcp_flags & kFlagSyn) == 0 && acknowledges &&
        continues(connection.next_sequence, seen.sequence)) {
      connection.trusted = true;
      arm(connection);
    }
  }
  set_state(connection, next_state(connection.state, seen.tcp_flags,
                                   translates(mode) ? Seen::kInput : Seen::kInputOnly));
  if (translates(mode) && connection.trusted) {
    const uint32_t end = behind(seen);
    if (static_cast<int32_t>(end - connection.next_sequence) > 0) {
      connection.next_sequence = end;
    }
  }
}

Model::Prediction Model::open(const Case& c, const AddressSetup& vip, const Flow& flow) {
  const ServiceSetup* service = setup_.listening(flow.protocol, flow.vip, flow.vip_port);
  if (service == nullptr) {
    return refuse(c, vip.address, DropReason::kNoService, setup_.answers_no_service);
  }
  const bool resets = is_tcp(c.seen) && (c.seen.tcp_flags & kFlagRst) != 0;
  if (is_tcp(c.seen)) {
    const bool midst = (c.seen.tcp_flags & (kFlagSyn | kFlagAck)) == kFlagAck;
    const bool may_begin =
        resets ? follows_from_flow(*service)
               : is_first(c.seen) || service->sloppy || (follows_from_flow(*service) && midst);
    if (!may_begin) {
      return refuse(c, vip.address, DropReason::kNotSyn, service->answers);
    }
  }
  const bool alone = service->one_packet && flow.protocol == kProtocolUdp && !c.seen.is_fragment();
  std::optional<Connection> opened;
  Prediction prediction = choose(c, vip, flow, *service, !alone, opened);
  if (!opened || resets || alone) {
    return prediction;
  }
  opened->state = State::kUdp;
  if (is_tcp(c.seen)) {
    opened->state = next_state(State::kNone, c.seen.tcp_flags,
                               translates(service->mode) ? Seen::kInput : Seen::kInputOnly);
    opened->next_sequence = c.seen.sequence + ((c.seen.tcp_flags & kFlagSyn) != 0 ? 1U : 0U);
  }
  opened->client_mac = get_mac(c.packet.frame, 6);
  opened->client_port = c.packet.port;
  opened->worker = c.worker;
  arm(*opened);
  add(*opened);
  return prediction;
}

// A server for the flow: whichever the dataplane has taken, if it may. `opened`: what is to be
// remembered of it.
Model::Prediction Model::choose(const Case& c, const AddressSetup& vip, const Flow& flow,
                                const ServiceSetup& service, bool remembered,
                                std::optional<Connection>& opened) {
  std::vector<ServerId> servers = usable(service, flow.family());
  if (servers.empty()) {
    return refuse(c, vip.address, DropReason::kNoUsableServer, service.answers);
  }
  bool collides = false;
  if (service.mode == Mode::kNat && remembered) {
    std::erase_if(servers, [&](const ServerId& server) {
      const bool taken = returns_.contains({{server.address, port_of(server, flow)},
                                            {flow.client, flow.client_port},
                                            flow.protocol});
      collides |= taken;
      return taken;
    });
    if (servers.empty() || (collides && c.actual.end == End::kDropped &&
                            c.actual.reason == DropReason::kNatCollision)) {
      return dropped(DropReason::kNatCollision);
    }
  }
  const bool hashes = follows_from_flow(service) && !collides;
  const std::string pool = pool_of(service, flow.family());
  if (hashes) {
    const auto before = hashed_.find({service.name, flow});
    if (before != hashed_.end() && before->second.first == pool) {
      servers = {before->second.second};
    }
  }
  std::optional<End16> local;
  const std::optional<Choice> choice = peek_ ? peek_(flow) : std::nullopt;
  if (service.mode == Mode::kFullNat) {
    if (c.actual.end == End::kSent && c.actual.reason == DropReason::kNone) {
      const Dissection out = dissect(c.actual.frame);
      local = End16{out.source, out.source_port};
    } else if (choice) {
      local = choice->local;
    }
  }
  // The first whose packet it is; where no packet shows it, the one that the dataplane names.
  std::optional<Prediction> first;
  std::vector<std::pair<ServerId, Prediction>> possible;
  for (const ServerId& server : servers) {
    Prediction prediction = to_server(c, vip, flow, server, local);
    if (compare(prediction, c.actual).empty()) {
      possible.emplace_back(server, prediction);
    }
    first = first ? first : prediction;
  }
  if (possible.empty()) {
    return *first;
  }
  size_t taken = 0;
  for (size_t i = 0; possible.size() > 1 && choice && i < possible.size(); ++i) {
    if (possible[i].first.address == choice->server &&
        possible[i].first.port == choice->server_port) {
      taken = i;
    }
  }
  const ServerId& server = possible[taken].first;
  if (hashes && (possible.size() == 1 || choice)) {
    hashed_[{service.name, flow}] = {pool, server};
  }
  opened = Connection{};
  opened->flow = flow;
  opened->server = server;
  opened->local = local;
  if (service.mode == Mode::kFullNat) {
    illegal_ = local ? illegal_local(*local, server, flow)
                     : "a FULLNAT connection without a local address";
  }
  return possible[taken].second;
}

std::string Model::illegal_local(const End16& local, const ServerId& server,
                                 const Flow& flow) const {
  const std::string who =
      fmt::format("local address {} port {} towards {}", local.address.to_string(), local.port,
                  server.address.to_string());
  const ServiceSetup& service = service_of(server);
  if (std::find(service.local_addresses.begin(), service.local_addresses.end(), local.address) ==
      service.local_addresses.end()) {
    return who + ": no local address of the service";
  }
  if (local.port < local_ports_.first || local.port > local_ports_.last) {
    return who + ": out of the range of local ports";
  }
  const Return tuple{{server.address, port_of(server, flow)}, local, flow.protocol};
  if (returns_.contains(tuple)) {
    return who + ": another connection has it";
  }
  if (const auto rest = resting_.find(tuple); rest != resting_.end()) {
    const uint64_t least =
        rest->second.long_rest ? local_ports_.time_wait : local_ports_.short_rest;
    if (seconds() - rest->second.since <= least) {
      return fmt::format("{}: given back {} s ago, and may rest in TIME_WAIT", who,
                         seconds() - rest->second.since);
    }
  }
  return {};
}

// About what a VIP, by its server, has sent to the client.
Model::Prediction Model::error_from_client(const Case& c, const AddressSetup& vip,
                                           const Flow& flow) {
  Connection* connection = find(flow);
  if (connection == nullptr) {
    const ServiceSetup* service = setup_.listening(flow.protocol, flow.vip, flow.vip_port);
    if (service == nullptr || !follows_from_flow(*service) ||
        usable(*service, flow.family()).empty()) {
      return dropped(DropReason::kIcmpUnmatched);
    }
    std::optional<Connection> opened;
    return choose(c, vip, flow, *service, false, opened);
  }
  if (translates(connection->server.mode) && flow.protocol == kProtocolTcp &&
      connection->server_seen) {
    const uint32_t doubt = connection->trusted ? 0 : 65535;
    const uint32_t end = connection->server_next_sequence + doubt;
    if (end - get32(c.packet.frame, c.seen.quote.transport + 4) > 1U << 24) {
      return dropped(DropReason::kIcmpSequence);
    }
  }
  illegal_ = note_worker(flow, c.worker);
  return to_server(c, vip, flow, connection->server, connection->local);
}

// ---------------------------------------------------------------- what is done to it

Model::Prediction Model::to_server(const Case& c, const AddressSetup& vip, const Flow& flow,
                                   const ServerId& server, const std::optional<End16>& local) {
  const std::optional<Setup::Hop> hop = setup_.hop_to(server.address);
  if (!hop) {
    return dropped(DropReason::kNoRoute);
  }
  if (server.mode == Mode::kTun) {
    return into_tunnel(c, vip, flow, server, *hop);
  }
  const uint16_t mtu = setup_.ports[index(hop->port)].mtu;
  uint16_t fragment_mtu = 0;
  if (c.seen.length() > mtu) {
    if (!c.seen.is_v4() || c.seen.dont_fragment) {
      return too_big(c, &vip, mtu);
    }
    fragment_mtu = mtu;
  }
  if (server.mode == Mode::kDr) {
    return send(c, {c.packet.frame, {}}, *hop, fragment_mtu);
  }
  if (c.seen.ttl <= 1) {
    return expired(c, &vip);
  }
  const Ends ends{local, End16{server.address, port_of(server, flow)}};
  return send(c,
              c.seen.sort == Sort::kIcmpError ? translate_error(c.packet.frame, c.seen, ends, true)
                                              : translate(c.packet.frame, c.seen, ends, true),
              *hop, fragment_mtu);
}

Model::Prediction Model::into_tunnel(const Case& c, const AddressSetup& vip, const Flow& flow,
                                     const ServerId& server, const Setup::Hop& hop) {
  const ServiceSetup& service = service_of(server);
  const Family family = server.address.family();
  const bool v4 = family == Family::kIpv4;
  const std::optional<Prefix>& range = v4 ? service.sources_v4 : service.sources_v6;
  const std::optional<IpAddress> own = setup_.own(hop.port, family);
  if (!range && !own) {
    return dropped(DropReason::kNoTunnelSource);
  }
  const size_t overhead = tunnel_overhead(service.wrapping, family);
  const uint16_t mtu = setup_.ports[index(hop.port)].mtu;
  uint16_t fragment_mtu = 0;
  if (c.seen.length() + overhead > mtu) {
    const bool may_tell = c.seen.is_v4() ? c.seen.dont_fragment : c.seen.length() > 1280;
    if (may_tell) {
      const size_t fits = mtu > overhead ? mtu - overhead : 0;
      return too_big(c, &vip,
                     static_cast<uint16_t>(std::max<size_t>(fits, c.seen.is_v4() ? 68 : 1280)));
    }
    fragment_mtu = mtu;
  }
  // What is free is read from what came out.
  Outer outer;
  outer.wrapping = service.wrapping;
  outer.destination = server.address;
  outer.source = own.value_or(IpAddress{});
  const Bytes& out = c.actual.frame;
  const size_t at = c.seen.network;
  const bool visible = c.actual.end == End::kSent && c.actual.reason == DropReason::kNone &&
                       out.size() == at + overhead + c.seen.length();
  TunnelMarks& marks = marks_[flow];
  if (visible) {
    const IpAddress source = get_address(out, at + (v4 ? 12 : 8), family);
    if (range) {
      if (!range->contains(source)) {
        illegal_ =
            fmt::format("outer source {} is not in {}", source.to_string(), range->to_string());
      }
      outer.source = source;
    }
    outer.identification = v4 ? get16(out, at + 4) : uint16_t{0};
    outer.flow_label = v4 ? 0 : get32(out, at) & 0xfffff;
    if (service.wrapping == Wrapping::kGue) {
      outer.source_port = get16(out, at + (v4 ? 20 : 40));
      if (outer.source_port < 49152) {
        illegal_ = fmt::format("GUE source port {}", outer.source_port);
      }
    }
    if (!v4 && outer.flow_label == 0) {
      illegal_ = "flow label 0";
    }
  }
  Written written = clamp(c.packet.frame, c.seen, 65535);
  written = wrap(c.packet.frame, c.seen, outer);
  const Prediction prediction = send(c, written, hop, fragment_mtu);
  if (visible && illegal_.empty() && compare(prediction, c.actual).empty()) {
    const bool same =
        (!marks.source || marks.source->family() != family || *marks.source == outer.source) &&
        (!marks.source_port || outer.source_port == 0 || *marks.source_port == outer.source_port) &&
        (!marks.label || v4 || *marks.label == outer.flow_label);
    if (!same) {
      illegal_ = "outer source, port or flow label differ from those of the flow before";
    }
    marks.source = outer.source;
    if (outer.source_port != 0) {
      marks.source_port = outer.source_port;
    }
    if (!v4) {
      marks.label = outer.flow_label;
    }
  }
  return prediction;
}

}  // namespace ballast::model
