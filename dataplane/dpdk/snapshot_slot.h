// The one pointer by which workers see the forwarding snapshot, and the grace period behind it
// (rte_rcu_qsbr).
//
// The main thread publishes; workers load the pointer once a burst and say at the end of every
// burst that they hold no reference any more. A replaced snapshot is kept until every worker has
// said so, however long a worker takes: nobody waits for it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "dataplane/packet/numbers.h"
#include "dataplane/service/forwarding_snapshot.h"

struct rte_rcu_qsbr;

namespace ballast {

class SnapshotSlot {
 public:
  using Clock = std::chrono::steady_clock;
  // Called on the main thread: once every worker runs on the published snapshot, or after the
  // patience is used up, with the workers that did not confirm.
  using Settled = std::function<void(const std::vector<WorkerIndex>& stalled)>;

  SnapshotSlot(uint16_t workers, std::shared_ptr<const ForwardingSnapshot> first);
  ~SnapshotSlot();
  SnapshotSlot(const SnapshotSlot&) = delete;
  SnapshotSlot& operator=(const SnapshotSlot&) = delete;

  // --- main thread
  void publish(std::shared_ptr<const ForwardingSnapshot> snapshot, Clock::time_point now,
               Settled settled);
  // Looks who has confirmed; to be called every millisecond or so while busy().
  void poll(Clock::time_point now);
  [[nodiscard]] bool busy() const { return !grace_periods_.empty(); }

  // --- worker threads
  void join(WorkerIndex worker);
  void leave(WorkerIndex worker);
  [[nodiscard]] const ForwardingSnapshot& current() const {
    return *current_.load(std::memory_order_acquire);
  }
  void quiescent(WorkerIndex worker);

 private:
  struct GracePeriod {
    std::shared_ptr<const ForwardingSnapshot> replaced;
    uint64_t token = 0;
    Clock::time_point published;
    Settled settled;  // empty once called
  };
  static constexpr std::chrono::seconds kPatience{1};

  [[nodiscard]] std::vector<WorkerIndex> not_confirmed(uint64_t token) const;

  uint16_t workers_;
  rte_rcu_qsbr* qsbr_;
  std::shared_ptr<const ForwardingSnapshot> published_;
  std::atomic<const ForwardingSnapshot*> current_;
  std::deque<GracePeriod> grace_periods_;
};

}  // namespace ballast
