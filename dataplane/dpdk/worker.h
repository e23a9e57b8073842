// A forwarding worker: the loop around one pipeline.
//
// Each turn takes a burst from every port, from the other workers and, now and then, from the
// kernel twins, lets the pipeline decide, and carries the decisions out. Between two turns it does
// a slice of a job that the main thread left (worker_job.h), says that it holds no snapshot, and
// backs off when there was nothing to do.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/dpdk/advert_gate.h"
#include "dataplane/dpdk/announcements.h"
#include "dataplane/dpdk/fragmenter.h"
#include "dataplane/dpdk/hand_over_field.h"
#include "dataplane/dpdk/kernel_twin.h"
#include "dataplane/dpdk/port.h"
#include "dataplane/dpdk/snapshot_slot.h"
#include "dataplane/dpdk/worker_job.h"
#include "dataplane/pipeline/pipeline.h"

struct rte_mbuf;
struct rte_mempool;
struct rte_ring;

namespace ballast {

struct LeasePage;

// A port with its twin, as all workers share them.
struct PortPair {
  std::unique_ptr<Port> port;
  KernelTwin twin;
};

class Worker {
 public:
  struct Surroundings {
    std::vector<PortPair>& ports;
    SnapshotSlot& snapshots;
    LeasePage& leases;
    rte_mempool& pool;
    bool sleeps_when_idle;
    // 0: once, without a refresh; nothing: VIPs are not announced at all.
    std::optional<uint64_t> announce_refresh_ns = std::nullopt;
  };

  Worker(const PipelineSettings& settings, const PipelineSurroundings& pipeline_surroundings,
         const Surroundings& surroundings);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Before any worker runs: whom to hand packets over to, by WorkerIndex.
  void meet(std::span<const std::unique_ptr<Worker>> everyone);

  // Until stop() is called from any thread. Runs on the worker's lcore.
  void run();
  void stop() { stop_.store(true, std::memory_order_relaxed); }
  // All that run() did happens before this is true.
  [[nodiscard]] bool has_finished() const { return finished_.load(std::memory_order_acquire); }

  // Any thread; 0 for a worker that sends none.
  [[nodiscard]] uint64_t announcements_sent() const {
    return announcements_ ? announcements_->sent() : 0;
  }

  // Any thread: fragments that packets were cut into.
  [[nodiscard]] uint64_t fragments_sent() const { return fragments_sent_.read(); }

  // Main thread: what it may ask of this worker between two bursts.
  [[nodiscard]] JobSlot& jobs() { return jobs_; }
  [[nodiscard]] const WorkerCounters& counters() const { return counters_; }
  [[nodiscard]] size_t connection_memory_bytes() const {
    return pipeline_.connections().memory_bytes();
  }

 private:
  static constexpr uint16_t kBurst = Port::kBurst;
  static_assert(kBurst <= Pipeline::kMaxBurst);

  struct FrameList {
    std::array<rte_mbuf*, kBurst> frames{};
    uint16_t count = 0;
  };

  // A device, and the ports on it.
  struct Receiver {
    EthernetDevice* device;
    std::vector<PortIndex> ports;
    VlanPorts by_vlan;  // where the device carries tags
  };

  [[nodiscard]] static std::vector<Receiver> receivers_of(const std::vector<PortPair>& ports);
  size_t poll_ports(const ForwardingSnapshot& snapshot, uint64_t now_ns);
  size_t poll_hand_overs(const ForwardingSnapshot& snapshot, uint64_t now_ns);
  size_t poll_twins(const ForwardingSnapshot& snapshot, uint64_t now_ns);
  size_t poll_twin(PortIndex port, const ForwardingSnapshot& snapshot, uint64_t now_ns);
  rte_mbuf* read_twin(PortIndex port, bool& empty);
  [[nodiscard]] bool append(rte_mbuf* frame, std::span<const uint8_t> rest);
  void sort_by_tag(const Receiver& receiver, std::span<rte_mbuf*> frames,
                   const ForwardingSnapshot& snapshot, uint64_t now_ns);
  void transmit_from_twin(PortIndex port, std::span<rte_mbuf*> frames);
  enum class Origin : uint8_t { kPort, kWorker };
  void process(std::span<rte_mbuf*> frames, PortIndex port, Origin origin,
               const ForwardingSnapshot& snapshot, uint64_t now_ns);
  size_t transmit_run(std::span<Packet> packets);
  void carry_out(Packet& packet);
  void transmit(rte_mbuf* frame, PortIndex port);
  void transmit_in_fragments(rte_mbuf* frame, uint16_t mtu, PortIndex port);
  void flush(PortIndex port);
  uint16_t send(PortIndex port, std::span<rte_mbuf*> frames);
  void flush_all();
  void to_kernel(rte_mbuf* frame, PortIndex port);
  void hand_over(const Packet& packet);
  void discard(rte_mbuf* frame, DropReason reason);
  void back_off(size_t work);

  WorkerIndex index_;
  Surroundings around_;
  WorkerCounters& counters_;
  Pipeline pipeline_;
  JobSlot jobs_;
  rte_ring* inbox_;  // frames that other workers received
  HandOverField hand_over_field_;
  std::vector<rte_ring*> inboxes_;  // of all workers
  std::vector<Receiver> receivers_;
  std::vector<FrameList> transmit_buffers_;       // by PortIndex
  std::vector<FrameList> arrivals_;               // of one burst, by PortIndex
  std::vector<uint8_t> rest_of_frame_;            // from a twin, that a buffer has no room for
  std::array<Packet, kBurst> packets_;            // of the burst under way
  std::unique_ptr<Announcements> announcements_;  // of the first worker; else null
  AdvertGate advert_gate_;
  Fragmenter fragmenter_;
  Counter<uint64_t> fragments_sent_;
  std::vector<TwinAge> twin_ages_;  // by PortIndex
  uint64_t next_twin_poll_ns_ = 0;
  uint64_t next_tick_ns_ = 0;
  uint32_t empty_polls_ = 0;
  // In cycles of the time stamp counter. A turn that lasts for longer than a millisecond is looked
  // at again before anything leaves.
  uint64_t turn_began_ = 0;
  uint64_t long_turn_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> finished_{false};
};

}  // namespace ballast
