#include "tests/bench/director.h"

#include <algorithm>
#include <numeric>
#include <thread>

#include <fmt/format.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <sched.h>
#include <sys/mman.h>

#include "dataplane/dpdk/eal.h"
#include "tests/bench/addresses.h"

namespace ballast::bench {
namespace {

constexpr FlowHashKey kFlowHashKey{{0x9ae16a3b2f90404f, 0xc949d7c7509e6557, 0xff51afd7ed558ccd,
                                    0xc4ceb9fe1a85ec53, 0x87c37b91114253d5, 0x4cf5ad432745937f}};

constexpr uint64_t kLocalPortSeed = 0x2545f4914f6cdd1d;

// Whatever else the machine does, it waits while a run is measured. Where that is not allowed, runs
// say that they were disturbed.
void keep_the_core() {
  const sched_param priority{.sched_priority = 1};
  sched_setscheduler(0, SCHED_FIFO, &priority);
}

std::vector<WorldPort> world_ports(const Network& network) {
  std::vector<WorldPort> ports;
  for (const PortPair& pair : const_cast<Network&>(network).ports()) {
    ports.push_back({pair.port->name(), pair.port->mac(), pair.port->mtu(), true});
  }
  return ports;
}

// One service with both families' VIPs; its servers are reached on `lan`, the clients by a router
// on `wan`.
class Configuration {
 public:
  Configuration(std::string wan, std::string lan, const DirectorSettings& settings)
      : wan_(std::move(wan)), lan_(std::move(lan)), settings_(settings) {
    transaction_.set_generation(1);
    transaction_.set_full(true);
    service_.set_name("web");
    service_.set_mode(to_api(settings.forwarding.mode));
    service_.set_scheduler("rr");
    for (const IpAddress& vip : {IpAddress::v4(kVipV4), IpAddress::v6(kVipV6)}) {
      transaction_.add_upsert()->mutable_vip()->set_address(vip.to_string());
      listen(vip);
    }
    route("192.168.0.0/16", lan_, "");
    route("fd00::/64", lan_, "");
    default_route("0.0.0.0/0", "203.0.113.1");
    default_route("::/0", "2001:db8:1::1");
    servers();
    what_the_mode_needs();
    *transaction_.add_upsert()->mutable_service() = service_;
  }

  [[nodiscard]] const api::Transaction& transaction() const { return transaction_; }

 private:
  void route(const std::string& prefix, const std::string& port, const std::string& gateway) {
    api::Route& route = *transaction_.add_upsert()->mutable_route();
    route.set_prefix(prefix);
    api::Hop& hop = *route.add_hops();
    hop.set_port(port);
    hop.set_gateway(gateway);
  }

  void default_route(const std::string& prefix, const std::string& router) {
    route(prefix, wan_, router);
    neighbor(wan_, router, kRouterMac);
  }

  void neighbor(const std::string& port, const std::string& address, const MacAddress& mac) {
    api::Neighbor& neighbor = *transaction_.add_upsert()->mutable_neighbor();
    neighbor.set_port(port);
    neighbor.set_address(address);
    neighbor.set_mac(mac.to_string());
    neighbor.set_state(api::Neighbor::REACHABLE);
  }

  void listen(const IpAddress& vip) {
    for (const auto& [protocol, port] :
         {std::pair{api::TCP, kVipTcpPort}, std::pair{api::UDP, kVipUdpPort}}) {
      api::Listener& listener = *service_.add_listeners();
      listener.set_protocol(protocol);
      listener.set_address(vip.to_string());
      listener.set_port(port.to_host());
    }
  }

  // In TUN a pool has the servers of both families, of which one is measured.
  void servers() {
    const Forwarding& forwarding = settings_.forwarding;
    for (uint8_t number = 1; number <= kServers; ++number) {
      for (const IpAddress& address :
           {IpAddress::v4(server_v4(number)), IpAddress::v6(server_v6(number))}) {
        if (forwarding.mode == ForwardingMode::kTunnel && address.family() != forwarding.servers) {
          continue;
        }
        api::Server& server = *service_.add_servers();
        server.set_address(address.to_string());
        server.set_port(forwarding.translates() ? kServerPort.to_host() : 0U);
        server.set_weight(1);
        server.set_configured_weight(1);
        neighbor(lan_, address.to_string(), server_mac(number));
      }
    }
  }

  void what_the_mode_needs() {
    switch (settings_.forwarding.mode) {
      case ForwardingMode::kDirectRouting:
        return;
      case ForwardingMode::kNat:
        local(IpAddress::v4(kGatewayV4), api::GATEWAY);
        local(IpAddress::v6(kGatewayV6), api::GATEWAY);
        return;
      case ForwardingMode::kFullNat:
        for (uint32_t number = 1; number <= local_addresses_for(settings_.flows); ++number) {
          for (const IpAddress& address : {IpAddress::v4(local_v4(static_cast<uint8_t>(number))),
                                           IpAddress::v6(local_v6(static_cast<uint8_t>(number)))}) {
            local(address, api::LOCAL);
            service_.add_local_addresses(address.to_string());
          }
        }
        return;
      case ForwardingMode::kTunnel:
        service_.mutable_tunnel()->set_encapsulation(to_api(settings_.forwarding.encapsulation));
        service_.mutable_tunnel()->add_sources(IpAddress::v4(kTunnelSourcesV4).to_string() + "/24");
        service_.mutable_tunnel()->add_sources(IpAddress::v6(kTunnelSourcesV6).to_string() +
                                               "/120");
        return;
    }
  }

  void local(const IpAddress& address, api::AddressUse use) {
    api::Vip& vip = *transaction_.add_upsert()->mutable_vip();
    vip.set_address(address.to_string());
    vip.set_use(use);
  }

  std::string wan_;
  std::string lan_;
  const DirectorSettings& settings_;
  api::Service service_;
  api::Transaction transaction_;
};

}  // namespace

void* TouchedMemory::allocate(size_t bytes) {
  void* memory = memory_.allocate(bytes);
  bytes_ += bytes;
  if (touched_) {
    madvise(memory, bytes, MADV_POPULATE_WRITE);
  }
  return memory;
}

uint32_t local_addresses_for(uint64_t connections) {
  constexpr uint64_t kPorts = 65536 - 1024;  // those of LocalPortSettings
  constexpr uint64_t kEnough = kPorts * kServers * 8 / 10;
  return static_cast<uint32_t>(std::clamp<uint64_t>((connections + kEnough - 1) / kEnough, 1, 255));
}

uint64_t Director::Books::dropped() const {
  return std::accumulate(drops.begin(), drops.end(), uint64_t{0});
}

Director::Director(Network& network, const DirectorSettings& settings)
    : network_(network),
      forwarding_(settings.forwarding),
      memory_(settings.hugepages, settings.touched),
      world_(world_ports(network), neighbors_,
             std::set<ForwardingMode>{ForwardingMode::kDirectRouting, ForwardingMode::kNat,
                                      ForwardingMode::kFullNat, ForwardingMode::kTunnel}) {
  leases_.hold_forever(0);
}

tl::expected<std::unique_ptr<Director>, std::string> Director::create(
    Network& network, const DirectorSettings& settings) {
  std::unique_ptr<Director> director(new Director(network, settings));
  if (const auto done = director->configure(settings); !done) {
    return tl::unexpected(done.error());
  }
  director->make_workers(settings);
  director->start_workers();
  return director;
}

tl::expected<void, std::string> Director::configure(const DirectorSettings& settings) {
  const Configuration configuration(network_.ports().front().port->name(),
                                    network_.ports().back().port->name(), settings);
  const World::Outcome outcome = world_.apply(configuration.transaction());
  if (outcome.snapshot == nullptr) {
    std::string text = "the world refuses the benchmark's configuration:";
    for (const api::Refusal& refusal : outcome.refusals) {
      text += fmt::format("\n  {}: {}", refusal.what(), refusal.why());
    }
    return tl::unexpected(text);
  }
  snapshots_ = std::make_unique<SnapshotSlot>(network_.workers(), outcome.snapshot);
  return {};
}

void Director::make_workers(const DirectorSettings& director_settings) {
  const uint16_t workers = network_.workers();
  for (uint16_t i = 0; i < workers; ++i) {
    crews_.push_back(std::make_unique<Crew>());
    loads_.add(crews_.back()->servers);
  }
  for (uint16_t i = 0; i < workers; ++i) {
    PipelineSettings settings;
    settings.worker = static_cast<WorkerIndex>(i);
    settings.connections = director_settings.connections;
    settings.flow_hash_key = kFlowHashKey;
    // One for each connection, and as many that rest, as Dataplane has it.
    settings.local_ports.tuples =
        2 * (settings.connections.trusted + settings.connections.untrusted);
    settings.local_port_seed = kLocalPortSeed + i;
    Crew& crew = *crews_[i];
    const PipelineSurroundings surroundings{
        network_.steering(), neighbors_,    leases_,       loads_,
        crew.servers,        crew.counters, crew.requests, memory_};
    workers_.push_back(std::make_unique<Worker>(
        settings, surroundings,
        Worker::Surroundings{network_.ports(), *snapshots_, leases_, network_.pool(), false}));
  }
  for (const auto& worker : workers_) {
    worker->meet(workers_);
  }
}

void Director::start_workers() {
  const std::vector<unsigned> lcores = Eal::worker_lcores(network_.workers());
  for (size_t i = 0; i < workers_.size(); ++i) {
    network_.source(i).reset();
    rte_eal_remote_launch(
        [](void* worker) {
          keep_the_core();
          static_cast<Worker*>(worker)->run();
          return 0;
        },
        workers_[i].get(), lcores[i]);
  }
}

Director::~Director() {
  for (size_t i = 0; i < workers_.size(); ++i) {
    workers_[i]->stop();
    network_.source(i).dismiss();
  }
  rte_eal_mp_wait_lcore();
  for (const auto& worker : workers_) {
    while (!worker->has_finished()) {
      std::this_thread::yield();  // an lcore that is about to leave
    }
  }
}

uint64_t Director::trusted() const {
  uint64_t sum = 0;
  for (const auto& crew : crews_) {
    sum += crew->counters.trusted.read();
  }
  return sum;
}

Director::Books Director::books() const {
  Books books;
  books.drops.resize(kDropReasons);
  const std::vector<ServerIndex> servers = world_.servers();
  books.servers.resize(servers.size());
  for (size_t i = 0; i < crews_.size(); ++i) {
    const WorkerCounters& counters = crews_[i]->counters;
    books.received += network_.source(i).received();
    books.transmitted += network_.source(i).transmitted();
    books.from_kernel += counters.from_kernel.read();
    books.handed_over += counters.handed_over.read();
    books.punted += counters.punted.read();
    books.answers += counters.answers.read();
    books.recycled += counters.recycled.read();
    books.evicted += counters.evicted.read();
    books.expired += counters.expired.read();
    for (size_t reason = 0; reason < kDropReasons; ++reason) {
      books.drops[reason] += counters.drops[reason].read();
    }
    for (size_t server = 0; server < servers.size(); ++server) {
      const ServerCounters& packets = crews_[i]->servers[servers[server]];
      books.servers[server] += forwarding_.direction == Direction::kIn ? packets.packets_in.read()
                                                                       : packets.packets_out.read();
    }
  }
  return books;
}

}  // namespace ballast::bench
