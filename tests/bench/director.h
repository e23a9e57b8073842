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
#include "tests/bench/forwarding.h"
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
  std::vector<std::vector<PacketSource::Attachment>> attachments_;  // by port, of all sources
  std::vector<std::vector<void*>> queues_;  // pointers to them, as rte_ethdev has them
};

// The program's memory for connection tables and what stands beside them; on wish every page is
// there from the start, as in a director that has been up for a while.
class TouchedMemory : public TableMemory {
 public:
  TouchedMemory(bool hugepages, bool touched) : memory_(hugepages), touched_(touched) {}
  void* allocate(size_t bytes) override;
  void free(void* memory) override { memory_.free(memory); }
  // Of all that is allocated.
  [[nodiscard]] size_t bytes() const { return bytes_; }

 private:
  HugepageMemory memory_;
  size_t bytes_ = 0;
  bool touched_;
};

struct DirectorSettings {
  Forwarding forwarding;
  ConnectionLimits connections;  // of each worker
  uint32_t flows = 1;            // FULLNAT: has local addresses for so many on every worker
  bool hugepages = true;
  bool touched = false;  // the table's memory, before the first packet
};

// Local addresses of FULLNAT that are enough for so many connections over all servers, with 80 % of
// the ports in use.
uint32_t local_addresses_for(uint64_t connections);

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
    std::vector<uint64_t> servers;  // packets of the direction, by server
    [[nodiscard]] uint64_t dropped() const;
  };
  [[nodiscard]] Books books() const;
  // Of one worker's connection table, and of the tables of all workers with their local ports.
  [[nodiscard]] size_t connection_memory_bytes() const {
    return workers_.front()->connection_memory_bytes();
  }
  [[nodiscard]] size_t memory_bytes() const { return memory_.bytes(); }
  [[nodiscard]] uint64_t trusted() const;  // connections, as of the last tick
  [[nodiscard]] Network& network() { return network_; }
  [[nodiscard]] const Forwarding& forwarding() const { return forwarding_; }

 private:
  struct Crew {
    ServerCounterTable servers{1024};
    WorkerCounters counters;
    NeighborRequests requests{1024, FlowHashKey{{11, 22, 333, 4444, 55555, 666666}}};
  };

  Director(Network& network, const DirectorSettings& settings);
  tl::expected<void, std::string> configure(const DirectorSettings& settings);
  void make_workers(const DirectorSettings& settings);
  void start_workers();

  Network& network_;
  const Forwarding forwarding_;
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
