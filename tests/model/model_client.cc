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

}  // namespace

std::string Model::pool_of(const ServiceSetup& service, Family family) {
  std::string text;
  for (const ServerSetup& server : service.servers) {
    if (service.mode == Mode::kTun || server.address.family() == family) {
      text += fmt::format("{} {} {} {} ", server.address.to_string(), server.port, server.weight,
                          server.disabled);
    }
  }
  return fmt::format("{} {} {}", service.scheduler, name_of(service.mode), text);
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
  } else if (!connection->trusted && flow.protocol == kProtocolUdp) {
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
  } else if (connection.client_mac == mac && seconds() > connection.client_mac_since) {
    connection.former_client_mac.reset();
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
}

Model::Prediction Model::open(const Case& c, const AddressSetup& vip, const Flow& flow) {
  const ServiceSetup* service = setup_.listening(flow.protocol, flow.vip, flow.vip_port);
  if (service == nullptr) {
    return refuse(c, vip.address, DropReason::kNoService, setup_.answers_no_service);
  }
  if (c.seen.sort == Sort::kLaterFragment) {  // it opens nothing
    if (!follows_from_flow(*service) || usable(*service, flow.family()).empty()) {
      return dropped(DropReason::kFragmentLater);
    }
    std::optional<Connection> opened;
    return choose(c, vip, flow, *service, false, opened);
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
    if (servers.empty()) {
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
    if (!first || prediction.fate.frame.size() == c.actual.frame.size()) {
      first = prediction;
    }
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

// What a SYN may announce towards this server; 0: what it does.
uint16_t Model::mss_of(const ServerId& server, const Setup::Hop& hop, Family family) const {
  const ServiceSetup& service = service_of(server);
  if (!service.mss_auto) {
    return service.mss;
  }
  size_t mtu = setup_.ports[index(hop.port)].mtu;
  if (server.mode == Mode::kTun) {
    const size_t overhead = tunnel_overhead(service.wrapping, server.address.family());
    mtu = std::max<size_t>(mtu - overhead, family == Family::kIpv4 ? 68 : 1280);
  }
  return static_cast<uint16_t>(mtu - (family == Family::kIpv4 ? 40 : 60));
}

Model::Prediction Model::to_server(const Case& c, const AddressSetup& vip, const Flow& flow,
                                   const ServerId& server, const std::optional<End16>& local) {
  Prediction prediction = change_and_send(c, vip, flow, server, local);
  prediction.vip = flow.vip;
  return prediction;
}

Model::Prediction Model::change_and_send(const Case& c, const AddressSetup& vip, const Flow& flow,
                                         const ServerId& server,
                                         const std::optional<End16>& local) {
  const std::optional<Setup::Hop> hop = setup_.hop_to(server.address);
  if (!hop) {
    return dropped(DropReason::kNoRoute);
  }
  clamped_to_ = mss_of(server, *hop, c.seen.family);
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
  Written clamped{c.packet.frame, {}};
  if (clamped_to_ != 0) {
    clamped = clamp(c.packet.frame, c.seen, clamped_to_);
  }
  if (server.mode == Mode::kDr) {
    return send(c, clamped, *hop, fragment_mtu);
  }
  // What the server is sent is what it can be asked about.
  if (Connection* connection = find(flow);
      connection != nullptr && connection->trusted && is_tcp(c.seen)) {
    advance(connection->next_sequence, c.seen);
  }
  if (c.seen.ttl <= 1) {
    return expired(c, &vip);
  }
  const Ends ends{local, End16{server.address, port_of(server, flow)}};
  return send(c,
              c.seen.sort == Sort::kIcmpError ? translate_error(c.packet.frame, c.seen, ends, true)
                                              : translate(clamped.frame, c.seen, ends, true),
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
  const IpAddress source = own.value_or(IpAddress{});
  Incoming inner = c.packet;
  if (clamped_to_ != 0) {
    inner.frame = clamp(inner.frame, c.seen, clamped_to_).frame;
  }
  const auto wrap_it = [this, packet = inner, seen = c.seen, flow, server,
                        source](const Fate& actual) {
    return wrapped(packet, seen, flow, server, source, actual);
  };
  Prediction prediction = send(c, wrap_it(c.actual), hop, fragment_mtu);
  prediction.wrapped = wrap_it;
  if (service.wrapping == Wrapping::kGue && !v4 && is_damaged(c.packet.frame, c.seen)) {
    prediction.unknown = {c.seen.network + 46, c.seen.network + 47};
  }
  return prediction;
}

// What is free is read from what came out, if that is it.
Written Model::wrapped(const Incoming& packet, const Dissection& seen, const Flow& flow,
                       const ServerId& server, const IpAddress& own, const Fate& actual) {
  const ServiceSetup& service = service_of(server);
  const Family family = server.address.family();
  const bool v4 = family == Family::kIpv4;
  Outer outer;
  outer.wrapping = service.wrapping;
  outer.destination = server.address;
  outer.source = own;
  const Bytes& out = actual.frame;
  const size_t at = seen.network;
  if (actual.end != End::kSent || actual.reason != DropReason::kNone ||
      out.size() != at + tunnel_overhead(service.wrapping, family) + seen.length()) {
    return wrap(packet.frame, seen, outer);
  }
  const std::optional<Prefix>& range = v4 ? service.sources_v4 : service.sources_v6;
  if (range) {
    outer.source = get_address(out, at + (v4 ? 12 : 8), family);
  }
  outer.identification = v4 ? get16(out, at + 4) : uint16_t{0};
  outer.is_cut = actual.fragment_mtu != 0;
  outer.flow_label = v4 ? 0 : get32(out, at) & 0xfffff;
  if (service.wrapping == Wrapping::kGue) {
    outer.source_port = get16(out, at + (v4 ? 20 : 40));
  }
  Written written = wrap(packet.frame, seen, outer);
  // Another server's packet may be as long; what is not this one's says nothing.
  const bool is_it = get_address(out, at + (v4 ? 16 : 24), family) == server.address;
  if (is_it && range && !range->contains(outer.source)) {
    illegal_ =
        fmt::format("outer source {} is not in {}", outer.source.to_string(), range->to_string());
  } else if (is_it) {
    const std::string wrong = note_marks(flow, outer);
    illegal_ = wrong.empty() ? illegal_ : wrong;
  }
  return written;
}

// Source, port and label are the same for all packets of a flow.
std::string Model::note_marks(const Flow& flow, const Outer& outer) {
  const bool v4 = outer.destination.is_v4();
  if (outer.wrapping == Wrapping::kGue && outer.source_port < 49152) {
    return fmt::format("GUE source port {}", outer.source_port);
  }
  if (!v4 && outer.flow_label == 0) {
    return "flow label 0";
  }
  TunnelMarks& marks = marks_[{flow, outer.destination.family()}];
  const TunnelMarks now{outer.source, outer.source_port, outer.flow_label};
  if (marks == TunnelMarks{}) {
    marks = now;
  }
  return marks == now ? std::string()
                      : "outer source, port or flow label differ from those of the flow before";
}

}  // namespace ballast::model
