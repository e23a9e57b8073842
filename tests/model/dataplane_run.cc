#include "tests/model/dataplane_run.h"

#include <algorithm>
#include <cassert>

#include <fmt/format.h>

#include "tests/model/dissect.h"
#include "tests/model/transaction.h"

namespace ballast::model {
namespace {

constexpr uint32_t kServers = 512;
constexpr size_t kHeadroom = 128;
constexpr size_t kTailroom = 1700;
constexpr int kLongestWay = 3;  // worker, fragment worker, owner
constexpr int kTicks = 8;       // each ends a bounded number of connections

std::vector<WorldPort> ports_of(const Setup& setup) {
  std::vector<WorldPort> ports;
  for (const PortSetup& port : setup.ports) {
    WorldPort& one = ports.emplace_back();
    one.name = port.name;
    one.mac = port.mac;
    one.mtu = port.mtu;
    one.up = port.up;
  }
  return ports;
}

}  // namespace

DataplaneRun::Worker::Worker(const FlowHashKey& hash_key)
    : servers(kServers), requests(kNeighbors, hash_key) {}

DataplaneRun::DataplaneRun(const Setup& setup, uint16_t workers, uint64_t seed)
    : world_(ports_of(setup), neighbors_,
             {ForwardingMode::kDirectRouting, ForwardingMode::kNat, ForwardingMode::kFullNat,
              ForwardingMode::kTunnel}),
      steering_(kMicrosoftRssKey, workers),
      drops_(kDropReasons) {
  leases_.hold_forever(0);
  for (uint16_t number = 0; number < workers; ++number) {
    const FlowHashKey hash_key{{seed, 22, 333, 4444, 55555, 666666}};
    Worker& worker = *workers_.emplace_back(std::make_unique<Worker>(hash_key));
    PipelineSettings settings;
    settings.worker = WorkerIndex{number};
    settings.connections.trusted = 8192;
    settings.connections.untrusted = 8192;
    settings.connections.translations = true;
    settings.flow_hash_key = hash_key;
    settings.punt = {1'000'000, 1'000'000, 1'000'000, 1'000'000};
    settings.answers_per_second = 1'000'000;
    settings.max_pools = 256;
    worker.pipeline = std::make_unique<Pipeline>(
        settings, PipelineSurroundings{steering_, neighbors_, leases_, *this, worker.servers,
                                       worker.counters, worker.requests, process_memory()});
  }
}

DataplaneRun::~DataplaneRun() {
  for (const auto& worker : workers_) {
    worker->pipeline->drain([](Packet&) {});
  }
}

std::string DataplaneRun::configure(const Setup& setup) {
  reclaim();
  const World::Outcome outcome = world_.apply(transaction_of(setup, world_.generation() + 1));
  if (outcome.snapshot == nullptr) {
    return fmt::format("refused: {}: {}", outcome.refusals.front().what(),
                       outcome.refusals.front().why());
  }
  for (size_t number = 0; number < setup.ports.size(); ++number) {
    PortState state = world_.snapshot()->ports[number];
    state.mtu = setup.ports[number].mtu;
    state.up = setup.ports[number].up;
    world_.port_changed(PortIndex{static_cast<uint16_t>(number)}, state);
  }
  return {};
}

// As the main thread does it: indexes of servers that are gone may be given out again.
void DataplaneRun::reclaim() {
  if (!buffers_.empty()) {
    return;  // what waits may refer to a next hop of an older snapshot
  }
  world_.reclaim([this](ServerIndex server) {
    return std::all_of(workers_.begin(), workers_.end(), [server](const auto& worker) {
      const ServerCounters& counters = worker->servers[server];
      return counters.connections.read() == counters.ended.read();
    });
  });
}

void DataplaneRun::set_lease(size_t slot, bool forwards, bool answers) {
  leases_.forward_until_ns[slot].store(forwards ? kLeaseNeverEnds : 0);
  leases_.answer_until_ns[slot].store(answers ? kLeaseNeverEnds : 0);
}

// By four-tuple where a NIC sees the ports, by addresses alone for fragments and behind extension
// headers, not at all for what is not IP.
uint32_t DataplaneRun::hash_of_nic(const Bytes& frame, bool& hashed) const {
  const Dissection seen = dissect(frame);
  hashed = seen.fault == DropReason::kNone && seen.sort != Sort::kArp && seen.sort != Sort::kNotIp;
  if (!hashed) {
    return 0;
  }
  const ToeplitzHash toeplitz(steering_.key());
  const bool ports = seen.sort == Sort::kTransport && !seen.is_fragment() &&
                     (seen.is_v4() || seen.transport == seen.network + 40);
  return ports ? toeplitz.hash(seen.source, seen.destination, Big16::from_host(seen.source_port),
                               Big16::from_host(seen.destination_port))
               : toeplitz.hash(seen.source, seen.destination);
}

Packet DataplaneRun::packet_of(const Arrival& arrival) {
  Buffer& buffer = buffers_.emplace_back();
  buffer.id = arrival.id;
  buffer.bytes.assign(kHeadroom + arrival.frame.size() + kTailroom, 0xee);
  std::copy(arrival.frame.begin(), arrival.frame.end(), buffer.bytes.begin() + kHeadroom);
  Packet packet;
  packet.data = buffer.bytes.data() + kHeadroom;
  packet.size = static_cast<uint16_t>(arrival.frame.size());
  packet.capacity = static_cast<uint16_t>(arrival.frame.size() + kTailroom);
  packet.headroom = kHeadroom;
  packet.frame_size = packet.size;
  packet.in_port = arrival.port;
  packet.handle = &buffer;
  return packet;
}

Decided DataplaneRun::look_at(const Packet& packet, uint16_t worker) {
  Decided decided;
  decided.worker = worker;
  decided.id = static_cast<const Buffer*>(packet.handle)->id;
  Fate& fate = decided.fate;
  fate.reason = packet.reason;
  switch (packet.verdict) {
    case Verdict::kDrop:
      fate.end = End::kDropped;
      break;
    case Verdict::kTransmit:
      fate.end = End::kSent;
      break;
    case Verdict::kKernel:
      fate.end = End::kKernel;
      break;
    case Verdict::kHold:
    case Verdict::kHandOver:
      fate.end = End::kHeld;
      break;
  }
  fate.frame.assign(packet.data, packet.data + packet.size);
  fate.out_port = packet.out_port;
  fate.fragment_mtu = packet.fragment_mtu;
  if (fate.end != End::kHeld) {
    if (fate.reason != DropReason::kNone) {
      ++drops_[static_cast<size_t>(fate.reason)];
    }
    std::erase_if(buffers_, [&](const Buffer& each) { return &each == packet.handle; });
  }
  return decided;
}

void DataplaneRun::pass_on(const Packet& packet) {
  Packet passed = packet;
  passed.handed_over = packet.hand_over_for;
  passed.hand_over_for = HandOver::kNone;
  workers_.at(index(packet.owner))->ring.push_back(passed);
}

// One burst of one worker; what is for others goes into their rings.
void DataplaneRun::run(uint16_t worker, std::vector<Packet> burst, uint64_t now_ns,
                       std::vector<Decided>& decided) {
  const ForwardingSnapshot& snapshot = *world_.snapshot();
  Pipeline& pipeline = *workers_[worker]->pipeline;
  pipeline.begin(snapshot, now_ns);
  pipeline.process(burst, snapshot, now_ns);
  for (Packet& packet : burst) {
    if (packet.verdict == Verdict::kHandOver) {
      pass_on(packet);
    } else {
      decided.push_back(look_at(packet, worker));
    }
  }
}

std::vector<Decided> DataplaneRun::process(const std::vector<Arrival>& burst, uint64_t now_ns) {
  std::vector<Decided> decided;
  std::vector<Packet> packets;
  uint16_t worker = 0;
  for (const Arrival& arrival : burst) {
    Packet packet = packet_of(arrival);
    bool hashed = false;
    const uint32_t hash = hash_of_nic(arrival.frame, hashed);
    if (&arrival == &burst.front()) {
      worker = arrival.worker ? static_cast<uint16_t>(*arrival.worker % workers_.size())
               : hashed       ? index(steering_.owner(hash))
                              : uint16_t{0};
    }
    packet.has_rss_hash = arrival.hashed && hashed;
    packet.rss_hash = packet.has_rss_hash ? hash : 0;
    packets.push_back(packet);
  }
  run(worker, packets, now_ns, decided);
  empty_rings(now_ns, decided);
  return decided;
}

void DataplaneRun::empty_rings(uint64_t now_ns, std::vector<Decided>& decided) {
  for (int way = 1; way <= kLongestWay; ++way) {
    for (uint16_t next = 0; next < workers_.size(); ++next) {
      std::vector<Packet> handed;
      handed.swap(workers_[next]->ring);
      if (!handed.empty()) {
        run(next, handed, now_ns, decided);
      }
    }
  }
  for (const auto& each : workers_) {
    lost_ += each->ring.size();  // it wanders from worker to worker
    each->ring.clear();
  }
}

std::vector<Decided> DataplaneRun::tick(uint64_t now_ns) {
  std::vector<Decided> released;
  for (uint16_t number = 0; number < workers_.size(); ++number) {
    Pipeline& pipeline = *workers_[number]->pipeline;
    pipeline.begin(*world_.snapshot(), now_ns);
    for (int i = 0; i < kTicks; ++i) {
      pipeline.tick(*world_.snapshot(), now_ns, [&](Packet& packet) {
        if (packet.verdict == Verdict::kHandOver) {
          pass_on(packet);
        } else {
          released.push_back(look_at(packet, number));
        }
      });
    }
  }
  empty_rings(now_ns, released);
  return released;
}

std::string DataplaneRun::wrong_accounts() const {
  if (lost_ != 0) {
    return fmt::format("{} packets are handed over again and again", lost_);
  }
  for (size_t reason = 1; reason < kDropReasons; ++reason) {
    uint64_t counted = 0;
    for (const auto& worker : workers_) {
      counted += worker->counters.drops[reason].read();
    }
    if (counted != drops_[reason]) {
      return fmt::format("{}: counted {} times, is the reason of {} packets",
                         name_of(static_cast<DropReason>(reason)), counted, drops_[reason]);
    }
  }
  return {};
}

std::optional<Choice> DataplaneRun::chosen(const Flow& flow) const {
  const FlowKey key{flow.client, flow.vip, Big16::from_host(flow.client_port),
                    Big16::from_host(flow.vip_port), IpProtocol{flow.protocol}};
  for (const auto& worker : workers_) {
    const ConnectionTable& table = worker->pipeline->connections();
    std::optional<Choice> found;
    ConnectionIndex cursor = 0;
    do {
      cursor = table.visit(cursor, 1000, [&](const Connection& each) {
        if (!(each.key == key)) {
          return;
        }
        const RealServer& server = world_.snapshot()->servers[index(each.server)];
        found = Choice{server.address, server.port.to_host(), std::nullopt};
        if (each.translated) {
          const LocalEndpoint& local = table.translations()->of(each).local;
          if (local.lane != kNoLane) {
            found->local = End16{(*world_.snapshot()->local_addresses)[index(local.address)],
                                 local.port.to_host()};
          }
        }
      });
    } while (cursor != 0);
    if (found) {
      return found;
    }
  }
  return std::nullopt;
}

bool DataplaneRun::is_nat_server(const IpAddress& address) const {
  return !world_.snapshot()->reply_sources->find(address).empty();
}

uint32_t DataplaneRun::active_connections(ServerIndex server) const {
  uint32_t sum = 0;
  for (const auto& worker : workers_) {
    sum += worker->servers[server].active.read();
  }
  return sum;
}

uint32_t DataplaneRun::inactive_connections(ServerIndex server) const {
  uint32_t sum = 0;
  for (const auto& worker : workers_) {
    sum += worker->servers[server].inactive.read();
  }
  return sum;
}

}  // namespace ballast::model
