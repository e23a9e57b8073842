// The main thread of ballast-dataplane: makes ports and workers, serves the contract, publishes
// snapshots.
//
// It never touches a packet and never waits for a worker. What workers tell it (next hops to be
// resolved, answers to jobs) it collects every millisecond; what it tells them goes through the
// snapshot, the neighbour table and the lease page.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "dataplane/api/dataplane.pb.h"
#include "dataplane/api/lease_page.h"
#include "dataplane/api/server.h"
#include "dataplane/dpdk/connection_listing.h"
#include "dataplane/dpdk/device_plan.h"
#include "dataplane/dpdk/hugepage_memory.h"
#include "dataplane/dpdk/kernel_silence.h"
#include "dataplane/dpdk/packet_buffers.h"
#include "dataplane/dpdk/settings.h"
#include "dataplane/dpdk/snapshot_slot.h"
#include "dataplane/dpdk/worker.h"
#include "dataplane/world/world.h"

namespace ballast {

// Sums the load of a server over all workers.
class LoadsOfAllWorkers : public ServerLoads {
 public:
  void add(const ServerCounterTable& servers) { tables_.push_back(&servers); }
  [[nodiscard]] uint32_t active_connections(ServerIndex server) const override;
  [[nodiscard]] uint32_t inactive_connections(ServerIndex server) const override;

 private:
  std::vector<const ServerCounterTable*> tables_;
};

class Dataplane : private api::RequestHandler {
 public:
  // EAL runs already. An error is a sentence for the operator; nothing is left running then.
  // `macs` by port; zero: the device's own.
  static tl::expected<std::unique_ptr<Dataplane>, std::string> create(
      const DataplaneSettings& settings, const std::vector<DevicePlan>& devices,
      const std::vector<MacAddress>& macs);
  ~Dataplane() override;

  // Forwards until SIGINT or SIGTERM.
  void run();

 private:
  struct Loop;     // the io_context and its timers
  struct Listing;  // a connection dump under way

  // What belongs to one worker and outlives its thread.
  struct Crew {
    std::unique_ptr<ServerCounterTable> servers;
    std::unique_ptr<WorkerCounters> counters;
    std::unique_ptr<NeighborRequests> requests;
  };

  explicit Dataplane(DataplaneSettings settings, LeasePageMapping leases);
  tl::expected<void, std::string> open_ports(const std::vector<DevicePlan>& devices,
                                             const std::vector<MacAddress>& macs);
  tl::expected<void, std::string> open_device(const DevicePlan& plan,
                                              const std::vector<MacAddress>& macs,
                                              std::vector<std::optional<PortPair>>& pairs);
  tl::expected<rte_mempool*, std::string> pool_for(const DevicePlan& plan);
  tl::expected<void, std::string> serve();
  void make_world();
  void make_workers();
  void start_workers();
  void stop_workers();

  // --- every now and then
  void every_millisecond();
  void every_second();
  void forward_neighbor_requests();
  void name_client_hops();
  void ask_for_neighbor(PortIndex port, const IpAddress& address);
  [[nodiscard]] std::set<ForwardingMode> modes() const;
  void follow_links();
  [[nodiscard]] bool indexes_may_be_reclaimed() const;
  bool clear_if_unused(ServerIndex server);
  void step_listing();

  // --- api::RequestHandler
  api::HelloAnswer hello_answer() override;
  void transaction(const api::Transaction& request,
                   api::AnswerWith<api::TransactionAnswer> answer) override;
  api::State state() override;
  void statistics(const api::GetStatistics& request,
                  api::AnswerWith<api::Statistics> answer) override;
  void connections(const api::ListConnections& request,
                   api::AnswerOrRefuseWith<api::Connections> answer) override;

  void filter_virtual_macs(const ForwardingSnapshot& snapshot);
  void publish(std::shared_ptr<const ForwardingSnapshot> snapshot, SnapshotSlot::Settled settled);
  void fill_servers(const api::GetStatistics& request, api::Statistics& page) const;
  void fill_totals(api::Statistics& page) const;
  void fill_connection(const ConnectionListing::Row& row, uint16_t worker,
                       api::ConnectionInfo& info) const;
  void fill_port_info(size_t number, api::PortInfo& info) const;
  [[nodiscard]] bool link_is_up(size_t port) const;

  DataplaneSettings settings_;
  std::string instance_id_;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  LeasePageMapping leases_;
  HugepageMemory memory_;
  std::chrono::steady_clock::time_point published_at_;  // the present snapshot
  FlowHashKey flow_hash_key_;
  Steering steering_;
  NeighborTable neighbors_;
  LoadsOfAllWorkers loads_;
  rte_mempool* pool_ = nullptr;
  BufferPlacement placement_ = BufferPlacement::kForDma;  // of pool_
  std::vector<rte_mempool*> own_pools_;                   // of devices that pool_ is not for
  std::vector<std::shared_ptr<EthernetDevice>> devices_;
  std::vector<KernelSilence> silences_;
  std::vector<PortPair> ports_;  // by PortIndex
  std::vector<bool> link_up_;    // as last told to the world
  std::unique_ptr<World> world_;
  std::unique_ptr<SnapshotSlot> snapshots_;
  // Clients on a port's own network whose MACs workers need; named in the next snapshot.
  std::vector<NeighborTable::Key> wanted_client_hops_;
  std::chrono::steady_clock::time_point named_client_hops_at_;
  std::shared_ptr<const AddressTable> filtered_addresses_;  // whose MACs the ports let in
  std::vector<Crew> crews_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::array<uint64_t, kMaxWorkers> last_heartbeats_{};
  std::array<bool, kMaxWorkers> stalled_{};
  std::unique_ptr<Loop> loop_;
  std::unique_ptr<api::ContractServer> server_;
  std::vector<std::unique_ptr<Listing>> listings_;  // the first is under way
};

}  // namespace ballast
