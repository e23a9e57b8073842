// The forwarding half of ballast-dataplane on the sources of a benchmark: the program's own ports,
// world, snapshots and workers, put together as Dataplane does it, without contract and leases.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "dataplane/api/lease_page.h"
#include "dataplane/connection/connection_table.h"
#include "dataplane/dpdk/dataplane.h"
#include "dataplane/dpdk/hugepage_memory.h"
#include "dataplane/dpdk/snapshot_slot.h"
#include "dataplane/dpdk/worker.h"
#include "dataplane/world/world.h"
#include "tests/bench/packet_source.h"

namespace ballast::bench {

// Two ports (or one, for both directions) and a source a worker; made once a process, after EAL.
// The ports' twins live in a network namespace of the process's own.
class Network {
 public:
  static tl::expected<std::unique_ptr<Network>, std::string> create(uint16_t workers,
                                                                    bool one_armed);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  // --vdev arguments that EAL needs.
  static std::vector<std::string> vdevs(bool one_armed);

  [[nodiscard]] PacketSource& source(size_t worker) { return *sources_[worker]; }
  [[nodiscard]] std::vector<PortPair>& ports() { return ports_; }
  [[nodiscard]] rte_mempool& pool() { return *pool_; }
  [[nodiscard]] const Steering& steering() const { return steering_; }
  [[nodiscard]] uint16_t workers() const { return steering_.workers(); }

 private:
  explicit Network(uint16_t workers);
  tl::expected<void, std::string> open_port(const std::string& name, const MacAddress& mac);
  void connect_sources();

  Steering steering_;
  rte_mempool* pool_ = nullptr;
  std::vector<PortPair> ports_;
  std::vector<std::unique_ptr<PacketSource>> sources_;
  std::vector<void*> receive_queues_;   // of the first port: the sources
  std::vector<void*> no_queues_;        // of the second, which receives nothing
  std::vector<void*> transmit_queues_;  // of every port: the sources
};

// The program's memory for connection tables; on wish every page is there from the start, as in a
// director that has been up for a while.
class TouchedMemory : public TableMemory {
 public:
  TouchedMemory(bool hugepages, bool touched) : memory_(hugepages), touched_(touched) {}
  void* allocate(size_t bytes) override;
  void free(void* memory) override { memory_.free(memory); }

 private:
  HugepageMemory memory_;
  bool touched_;
};

struct DirectorSettings {
  ConnectionLimits connections;  // of each worker
  uint32_t servers = 16;
  bool hugepages = true;
  bool touched = false;  // the table's memory, before the first packet
};

// One configuration with its workers; a fresh connection table each.
class Director {
 public:
  // An error when the world refuses its own configuration.
  static tl::expected<std::unique_ptr<Director>, std::string> create(
      Network& network, const DirectorSettings& settings);
  // Stops the workers, which must wait for orders.
  ~Director();
  Director(const Director&) = delete;
  Director& operator=(const Director&) = delete;

  // What workers counted, since the director was made.
  struct Books {
    uint64_t received = 0;
    uint64_t transmitted = 0;
    uint64_t from_kernel = 0;
    uint64_t handed_over = 0;
    uint64_t punted = 0;
    uint64_t answers = 0;
    uint64_t recycled = 0;
    uint64_t evicted = 0;
    uint64_t expired = 0;
    std::vector<uint64_t> drops;    // by reason
    std::vector<uint64_t> servers;  // packets, by server
    [[nodiscard]] uint64_t dropped() const;
  };
  [[nodiscard]] Books books() const;
  [[nodiscard]] size_t connection_memory_bytes() const {
    return workers_.front()->connection_memory_bytes();
  }
  [[nodiscard]] Network& network() { return network_; }

 private:
  struct Crew {
    ServerCounterTable servers{1024};
    WorkerCounters counters;
    NeighborRequests requests{1024};
  };

  Director(Network& network, const DirectorSettings& settings);
  tl::expected<void, std::string> configure(const DirectorSettings& settings);
  void make_workers(const DirectorSettings& settings);
  void start_workers();

  Network& network_;
  LeasePage leases_{};
  TouchedMemory memory_;
  NeighborTable neighbors_{1024};
  World world_;
  std::unique_ptr<SnapshotSlot> snapshots_;
  LoadsOfAllWorkers loads_;
  std::vector<std::unique_ptr<Crew>> crews_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace ballast::bench
