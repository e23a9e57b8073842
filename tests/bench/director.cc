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

void add_route(api::Transaction& transaction, const std::string& prefix, const std::string& port) {
  api::Route& route = *transaction.add_upsert()->mutable_route();
  route.set_prefix(prefix);
  route.add_hops()->set_port(port);
}

void add_listeners(api::Service& service, const std::string& vip) {
  for (const auto& [protocol, port] :
       {std::pair{api::TCP, kVipTcpPort}, std::pair{api::UDP, kVipUdpPort}}) {
    api::Listener& listener = *service.add_listeners();
    listener.set_protocol(protocol);
    listener.set_address(vip);
    listener.set_port(port.to_host());
  }
}

// One service with both families' VIPs, and its servers reachable on `port`.
api::Transaction configuration(const std::string& port, uint32_t servers) {
  api::Transaction transaction;
  transaction.set_generation(1);
  transaction.set_full(true);
  api::Service service;
  service.set_name("web");
  service.set_mode(api::DR);
  service.set_scheduler("rr");
  for (const IpAddress& vip : {IpAddress::v4(kVipV4), IpAddress::v6(kVipV6)}) {
    transaction.add_upsert()->mutable_vip()->set_address(vip.to_string());
    add_listeners(service, vip.to_string());
  }
  add_route(transaction, "192.168.0.0/16", port);
  add_route(transaction, "fd00::/64", port);
  for (uint32_t number = 1; number <= servers; ++number) {
    for (const std::string& address :
         {fmt::format("192.168.0.{}", number), fmt::format("fd00::{:x}", number)}) {
      api::Server& server = *service.add_servers();
      server.set_address(address);
      server.set_weight(1);
      server.set_configured_weight(1);
      api::Neighbor& neighbor = *transaction.add_upsert()->mutable_neighbor();
      neighbor.set_port(port);
      neighbor.set_address(address);
      neighbor.set_mac(fmt::format("02:00:00:00:01:{:02x}", number));
      neighbor.set_state(api::Neighbor::REACHABLE);
    }
  }
  *transaction.add_upsert()->mutable_service() = service;
  return transaction;
}

}  // namespace

void* TouchedMemory::allocate(size_t bytes) {
  void* memory = memory_.allocate(bytes);
  if (touched_) {
    madvise(memory, bytes, MADV_POPULATE_WRITE);
  }
  return memory;
}

uint64_t Director::Books::dropped() const {
  return std::accumulate(drops.begin(), drops.end(), uint64_t{0});
}

Director::Director(Network& network, const DirectorSettings& settings)
    : network_(network),
      memory_(settings.hugepages, settings.touched),
      world_(world_ports(network), neighbors_,
             std::set<ForwardingMode>{ForwardingMode::kDirectRouting}) {
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
  const World::Outcome outcome =
      world_.apply(configuration(network_.ports().back().port->name(), settings.servers));
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
      books.servers[server] += crews_[i]->servers[servers[server]].packets_in.read();
    }
  }
  return books;
}

}  // namespace ballast::bench
