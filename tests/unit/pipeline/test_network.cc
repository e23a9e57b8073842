#include "tests/unit/pipeline/test_network.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include <fmt/format.h>

#include "dataplane/scheduler/scheduler_list.h"

namespace ballast::testing {
namespace {

constexpr uint32_t kMostServers = 256;
constexpr size_t kTailroom = 1700;

MacAddress mac_of_server(int number) {
  return mac_address(fmt::format("02:00:00:00:00:a{}", number));
}

IpAddress address_of_server(const Family4or6& family, int number) {
  return ip_address(family.server_prefix + std::to_string(number));
}

}  // namespace

void PrintTo(const Family4or6& family, std::ostream* out) {
  *out << family.name;
}

const std::vector<Family4or6>& both_families() {
  static const std::vector<Family4or6> kFamilies{
      {"ipv4",
       "198.51.100.7",
       "192.0.2.10",
       "192.0.2.20",
       "203.0.113.1",
       "203.0.113.2",
       "10.0.0.1",
       "198.51.100.1",
       "10.0.0.2",
       "10.0.0.254",
       "10.0.0.253",
       "100.64.9.9",
       {"10.0.1.1", "10.0.1.2", "10.0.1.3"}},
      {"ipv6",
       "2001:db8:1::7",
       "2001:db8::10",
       "2001:db8::20",
       "2001:db8:f::1",
       "2001:db8:f::2",
       "2001:db8:a::1",
       "2001:db8:1::1",
       "2001:db8:a::2",
       "2001:db8:a::fe",
       "2001:db8:a::fd",
       "2001:db8:99::9",
       {"2001:db8:b::1", "2001:db8:b::2", "2001:db8:b::3"}}};
  return kFamilies;
}

int Outcome::server() const {
  if (verdict != Verdict::kTransmit || reason != DropReason::kNone || frame.size() < 14) {
    return 0;
  }
  for (int number = 1; number <= 3; ++number) {
    if (std::equal(frame.bytes.begin(), frame.bytes.begin() + 6,
                   mac_of_server(number).bytes().begin())) {
      return number;
    }
  }
  return 0;
}

void PrintTo(const Outcome& outcome, std::ostream* out) {
  static constexpr std::string_view kVerdicts[] = {"drop", "transmit", "kernel", "hand over",
                                                   "hold"};
  *out << fmt::format("{} ({}) port {} owner {}", kVerdicts[static_cast<size_t>(outcome.verdict)],
                      name_of(outcome.reason), index(outcome.out_port), index(outcome.owner));
  PrintTo(outcome.frame, out);
}

TestNetwork::TestNetwork(Options options)
    : steering_(kMicrosoftRssKey, options.workers), configured_(options.configured) {
  snapshot.generation = 1;
  snapshot.ports = {{mac_address(kBalancerMac), 1500, true, {}, {}},
                    {mac_address(kLanMac), 1500, true, {}, {}}};
  snapshot.lease_slots = 2;
  snapshot.routes = std::make_shared<const RouteTable>();
  snapshot.servers.resize(1);
  snapshot.local_addresses = std::make_shared<const std::vector<IpAddress>>();
  snapshot.reply_sources = std::make_shared<const ReplySources>();
  snapshot.client_hops = std::make_shared<const ClientHops>();
  leases.hold_forever(0);
  set_lease(kLeaseNeverEnds);
  for (const Family4or6& family : both_families()) {
    addresses_.push_back({.address = ip_address(family.vip), .virtual_mac = {}});
    addresses_.push_back({.address = ip_address(family.leased_vip),
                          .lease = LeaseSlot{1},
                          .virtual_mac = mac_address(kVirtualMac)});
    addresses_.push_back(
        {.address = ip_address(family.node), .role = AddressRole::kNode, .virtual_mac = {}});
  }
  publish_addresses();
  add_service({.name = "web", .port = 80});
  add_service({.name = "dns", .protocol = IpProtocol::kUdp, .port = 53});
  add_service({.name = "api", .port = 8080, .scheduler = "wrr", .weights = {5, 1, 1}});
  add_service({.name = "shop", .port = 443, .scheduler = "mh", .weights = {3, 2, 1}});
  add_service({.name = "game",
               .protocol = IpProtocol::kUdp,
               .port = 443,
               .scheduler = "mh",
               .weights = {3, 2, 1}});
  if (options.all_modes) {
    add_modes();
  }
  for (int number = 1; number <= 3; ++number) {
    set_neighbor(number, NeighborState::kReachable);
  }
  const FlowHashKey hash_key{{options.flow_hash_seed, 22, 333, 4444, 55555, 666666}};
  for (uint16_t worker = 0; worker < options.workers; ++worker) {
    Worker& one = *workers_.emplace_back(std::make_unique<Worker>(kMostServers, hash_key));
    one.pipeline = std::make_unique<Pipeline>(
        PipelineSettings{.worker = WorkerIndex{worker},
                         .connections = options.connections,
                         .flow_hash_key = hash_key,
                         .punt = options.punt,
                         .answers_per_second = options.answers_per_second,
                         .max_pools = 64,
                         .local_ports = options.local_ports,
                         .local_port_seed = 7},
        PipelineSurroundings{steering_, neighbors_, leases, *this, one.servers, one.counters,
                             one.requests, process_memory()});
  }
}

TestNetwork::~TestNetwork() {
  EXPECT_EQ(wrong_accounts(), "");
}

bool TestNetwork::take_request(NeighborRequest& request) {
  return workers_[0]->requests.take(request);
}

bool TestNetwork::take_request(NeighborIndex& neighbor) {
  NeighborRequest request;
  const bool taken = take_request(request);
  neighbor = request.neighbor;
  return taken;
}

void TestNetwork::add_service(const ServiceSettings& settings) {
  auto service = std::make_shared<VirtualService>();
  service->name = settings.name;
  service->mode = settings.mode;
  const auto position = static_cast<uint32_t>(snapshot.services.size());
  service->ipv4.index = PoolIndex{2 * position};
  service->ipv6.index = PoolIndex{2 * position + 1};
  snapshot.services.push_back(service);
  services_[settings.name] = service;
  weights_[settings.name] = settings.weights;
  schedulers_[settings.name] = settings.scheduler;
  for (const Family4or6& family : both_families()) {
    for (const int number : configured_) {
      add_server(settings, *service, family, number);
    }
    for (const std::string& vip : {family.vip, family.leased_vip}) {
      const Listener listener{ip_address(vip), Big16::from_host(settings.port), settings.protocol};
      listeners_.push_back({listener, position});
      service->listeners.push_back(listener);
    }
  }
  snapshot.listeners = std::make_shared<const ServiceTable>(listeners_);
  std::vector<ServiceTable::Entry> by_client;
  std::copy_if(listeners_.begin(), listeners_.end(), std::back_inserter(by_client),
               [this](const ServiceTable::Entry& entry) {
                 return snapshot.services[entry.service]->mode == ForwardingMode::kNat;
               });
  snapshot.steered_by_client = std::make_shared<const ServiceTable>(by_client);
  use_servers(settings.name, configured_);
}

std::vector<ServerIndex> TestNetwork::servers_of(std::string_view service, int number) const {
  std::vector<ServerIndex> found;
  for (uint32_t i = 1; i < snapshot.servers.size(); ++i) {
    for (const Family4or6& family : both_families()) {
      if (snapshot.servers[i].service == services_.at(std::string(service)).get() &&
          snapshot.servers[i].address == address_of_server(family, number)) {
        found.push_back(ServerIndex{i});
      }
    }
  }
  return found;
}

SchedulableServer TestNetwork::schedulable(std::string_view service, int number,
                                           ServerIndex server) const {
  const uint32_t weight = weights_.at(std::string(service))[static_cast<size_t>(number - 1)];
  return {server, snapshot.servers[index(server)].address, {}, weight};
}

void TestNetwork::use_servers(std::string_view name, const std::vector<int>& numbers) {
  set_usable(name, [&](ServerIndex, int number) {
    return std::find(numbers.begin(), numbers.end(), number) != numbers.end();
  });
}

// In TUN servers of both families are in both pools.
void TestNetwork::set_usable(std::string_view name,
                             const std::function<bool(ServerIndex, int)>& usable) {
  const bool tunnels = service(name).mode == ForwardingMode::kTunnel;
  const SchedulerDescription* kind = find_scheduler(schedulers_.at(std::string(name)));
  for (const auto& [pool, v4] :
       {std::pair(&service(name).ipv4, true), std::pair(&service(name).ipv6, false)}) {
    std::vector<SchedulableServer> chosen;
    std::vector<SchedulableServer> resting;
    for (const int number : configured_) {
      for (const ServerIndex each : servers_of(name, number)) {
        if (tunnels || server(each).address.is_v4() == v4) {
          (usable(each, number) ? chosen : resting).push_back(schedulable(name, number, each));
        }
      }
    }
    std::shared_ptr<Scheduler> scheduler = kind->make();
    scheduler->set_pool({chosen, resting}, pool->scheduler.get());
    pool->scheduler = scheduler;
    std::vector<ServerIndex> servers;
    for (const SchedulableServer& each : chosen) {
      servers.push_back(each.server);
    }
    pool->servers = std::make_shared<const std::vector<ServerIndex>>(servers);
  }
}

NeighborIndex TestNetwork::neighbor_of(int server, bool v4) const {
  return neighbors_.find(kLan, address_of_server(both_families()[v4 ? 0 : 1], server));
}

void TestNetwork::set_neighbor(int server, const Neighbor& neighbor) {
  neighbors_.set(neighbor_of(server, true), neighbor);
  neighbors_.set(neighbor_of(server, false), neighbor);
}

void TestNetwork::set_neighbor(int server, NeighborState state) {
  set_neighbor(
      server,
      Neighbor{state == NeighborState::kReachable ? mac_of_server(server) : MacAddress(), state});
}

void TestNetwork::add_address(const LocalAddress& address) {
  addresses_.push_back(address);
  publish_addresses();
}

void TestNetwork::change_address(const LocalAddress& address) {
  std::erase_if(addresses_,
                [&](const LocalAddress& each) { return each.address == address.address; });
  add_address(address);
}

void TestNetwork::publish_addresses() {
  snapshot.addresses = std::make_shared<const AddressTable>(addresses_);
}

// As a NIC with our key does it: by four-tuple where it sees the ports, by addresses alone for
// fragments and behind extension headers, not at all for what is not IP.
uint32_t TestNetwork::hash_of_nic(const Frame& frame, bool& hashed) const {
  Frame copy = frame;
  ParsedPacket parsed;
  hashed = parse(copy.view(), parsed) == DropReason::kNone && parsed.network_length != 0 &&
           parsed.kind != PacketKind::kArp && parsed.kind != PacketKind::kNotIp;
  if (!hashed) {
    return 0;
  }
  const ToeplitzHash toeplitz(steering_.key());
  const bool plain = parsed.family == Family::kIpv4 ||
                     parsed.transport_offset == parsed.network_offset + sizeof(Ipv6Header);
  return parsed.kind == PacketKind::kTransport && !parsed.fragment && plain
             ? toeplitz.hash(parsed.source, parsed.destination, parsed.source_port,
                             parsed.destination_port)
             : toeplitz.hash(parsed.source, parsed.destination);
}

Outcome TestNetwork::look_at(const Packet& packet) {
  Outcome outcome{.verdict = packet.verdict,
                  .reason = packet.reason,
                  .frame = {Bytes(packet.data, packet.data + packet.size)},
                  .out_port = packet.out_port,
                  .owner = packet.owner,
                  .hand_over_for = packet.hand_over_for,
                  .fragment_mtu = packet.fragment_mtu,
                  .grown = packet.grown,
                  .datagram_source_port = packet.datagram_source_port,
                  .datagram_destination_port = packet.datagram_destination_port,
                  .datagram_protocol = packet.datagram_protocol};
  if (!packet.replaced) {
    const Bytes& rest = static_cast<const Held*>(packet.handle)->rest;
    EXPECT_EQ(packet.frame_size, packet.size + rest.size());
    outcome.frame.bytes.insert(outcome.frame.bytes.end(), rest.begin(), rest.end());
  }
  ++tally_.by_verdict[packet.verdict];
  ++tally_.by_reason[packet.reason];
  if (packet.verdict != Verdict::kHold) {
    std::erase_if(held_, [&packet](const Held& each) { return &each == packet.handle; });
  }
  return outcome;
}

Packet TestNetwork::packet_of(const Frame& frame, const How& how) {
  const size_t first = std::min(how.first_segment, frame.size());
  const size_t tailroom = first == frame.size() ? kTailroom : 0;
  Held& held = held_.emplace_back();
  held.buffer.resize(how.headroom + first + tailroom);
  held.buffer.shrink_to_fit();
  const auto end = frame.bytes.begin() + static_cast<std::ptrdiff_t>(first);
  std::copy(frame.bytes.begin(), end, held.buffer.begin() + how.headroom);
  held.rest.assign(end, frame.bytes.end());
  Packet packet;
  packet.data = held.buffer.data() + how.headroom;
  packet.size = static_cast<uint16_t>(first);
  packet.capacity = static_cast<uint16_t>(first + tailroom);
  packet.headroom = how.headroom;
  packet.frame_size = static_cast<uint32_t>(frame.size());
  packet.in_port = how.port;
  packet.handed_over = how.handed_over;
  packet.datagram_source_port = how.datagram_source_port;
  packet.datagram_destination_port = how.datagram_destination_port;
  packet.datagram_protocol = how.datagram_protocol;
  packet.handle = &held;
  if (how.rss) {
    packet.rss_hash = hash_of_nic(frame, packet.has_rss_hash);
  }
  return packet;
}

std::vector<Outcome> TestNetwork::send_burst(const std::vector<Frame>& frames, How how) {
  std::vector<Packet> burst;
  for (const Frame& frame : frames) {
    burst.push_back(packet_of(frame, how));
  }
  workers_[how.worker]->pipeline->process(burst, snapshot, now_ns_);
  tally_.packets += burst.size();
  std::vector<Outcome> outcomes;
  for (const Packet& packet : burst) {
    outcomes.push_back(look_at(packet));
    outcomes.back().worker = how.worker;
  }
  return outcomes;
}

Outcome TestNetwork::send(const Frame& frame, How how) {
  return send_burst({frame}, how).front();
}

Outcome TestNetwork::send_to_owner(const Frame& frame, How how) {
  Outcome outcome = send(frame, how);
  while (outcome.verdict == Verdict::kHandOver) {
    // A datagram's worker first, the flow's owner last: none goes round.
    const bool goes_on = outcome.hand_over_for > how.handed_over;
    EXPECT_TRUE(goes_on);
    if (!goes_on) {
      break;
    }
    how.worker = index(outcome.owner);
    how.handed_over = outcome.hand_over_for;
    how.datagram_source_port = outcome.datagram_source_port;
    how.datagram_destination_port = outcome.datagram_destination_port;
    how.datagram_protocol = outcome.datagram_protocol;
    outcome = send(frame, how);
  }
  return outcome;
}

std::vector<Outcome> TestNetwork::pass(uint64_t nanoseconds) {
  std::vector<Outcome> released;
  const uint64_t end = now_ns_ + nanoseconds;
  while (now_ns_ < end) {
    now_ns_ = std::min(now_ns_ + kSecond, end);
    for (const auto& worker : workers_) {
      // More than the budget of one tick may end in one second; the program ticks a thousand times.
      for (int tick = 0; tick < 32; ++tick) {
        worker->pipeline->tick(snapshot, now_ns_, [&](Packet& packet) {
          --tally_.by_verdict[Verdict::kHold];
          --tally_.by_reason[DropReason::kNone];
          released.push_back(look_at(packet));
        });
      }
    }
  }
  return released;
}

std::vector<Outcome> TestNetwork::drain() {
  std::vector<Outcome> released;
  for (const auto& worker : workers_) {
    worker->pipeline->drain([&](Packet& packet) {
      --tally_.by_verdict[Verdict::kHold];
      released.push_back(look_at(packet));
    });
  }
  return released;
}

uint64_t TestNetwork::drops(DropReason reason) const {
  uint64_t sum = 0;
  for (const auto& worker : workers_) {
    sum += worker->counters.drops[static_cast<size_t>(reason)].read();
  }
  return sum;
}

std::string TestNetwork::wrong_accounts() const {
  uint64_t packets = 0;
  uint64_t handed_over = 0;
  for (const auto& worker : workers_) {
    packets += worker->counters.packets.read();
    handed_over += worker->counters.handed_over.read();
    handed_over += worker->counters.handed_over_fragments.read();
  }
  if (packets != tally_.packets) {
    return fmt::format("{} packets counted, {} sent", packets, tally_.packets);
  }
  const auto of = [](const auto& map, auto key) {
    const auto found = map.find(key);
    return found == map.end() ? uint64_t{0} : found->second;
  };
  if (handed_over != of(tally_.by_verdict, Verdict::kHandOver)) {
    return fmt::format("{} hand-overs counted", handed_over);
  }
  if (held_.size() != of(tally_.by_verdict, Verdict::kHold)) {
    return fmt::format("{} buffers are held by the pipelines, {} packets wait", held_.size(),
                       of(tally_.by_verdict, Verdict::kHold));
  }
  // A refused packet has its reason, and leaves as the answer to itself; all that is dropped has
  // one; nothing else does.
  for (size_t i = 0; i < kDropReasons; ++i) {
    const auto reason = static_cast<DropReason>(i);
    if (reason != DropReason::kNone && drops(reason) != of(tally_.by_reason, reason)) {
      return fmt::format("{}: counted {} times, is the reason of {} packets", name_of(reason),
                         drops(reason), of(tally_.by_reason, reason));
    }
  }
  return {};
}

const Connection* TestNetwork::connection(const FlowKey& flow, uint16_t worker) const {
  const Connection* found = nullptr;
  for (ConnectionIndex cursor = 0;;) {
    cursor = connections(worker).visit(
        cursor, 1000, [&](const Connection& each) { found = each.key == flow ? &each : found; });
    if (cursor == 0) {
      return found;
    }
  }
}

uint32_t TestNetwork::active_connections(ServerIndex server) const {
  uint32_t sum = 0;
  for (const auto& worker : workers_) {
    sum += worker->servers[server].active.read();
  }
  return sum;
}

uint32_t TestNetwork::inactive_connections(ServerIndex server) const {
  uint32_t sum = 0;
  for (const auto& worker : workers_) {
    sum += worker->servers[server].inactive.read();
  }
  return sum;
}

}  // namespace ballast::testing
