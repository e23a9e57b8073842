#include "dataplane/dpdk/snapshot_slot.h"

#include <cstdlib>
#include <utility>

#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>

namespace ballast {

SnapshotSlot::SnapshotSlot(uint16_t workers, std::shared_ptr<const ForwardingSnapshot> first)
    : workers_(workers),
      qsbr_(static_cast<rte_rcu_qsbr*>(std::aligned_alloc(
          RTE_CACHE_LINE_SIZE, RTE_ALIGN(rte_rcu_qsbr_get_memsize(workers), RTE_CACHE_LINE_SIZE)))),
      published_(std::move(first)),
      current_(published_.get()) {
  rte_rcu_qsbr_init(qsbr_, workers);
}

SnapshotSlot::~SnapshotSlot() {
  std::free(qsbr_);
}

void SnapshotSlot::publish(std::shared_ptr<const ForwardingSnapshot> snapshot,
                           Clock::time_point now, Settled settled) {
  std::shared_ptr<const ForwardingSnapshot> replaced =
      std::exchange(published_, std::move(snapshot));
  current_.store(published_.get(), std::memory_order_release);
  grace_periods_.push_back(
      {std::move(replaced), rte_rcu_qsbr_start(qsbr_), now, std::move(settled)});
}

void SnapshotSlot::poll(Clock::time_point now) {
  // Tokens only grow, so that the first unfinished grace period holds back all behind it;
  // impatience looks at each.
  while (!grace_periods_.empty() &&
         rte_rcu_qsbr_check(qsbr_, grace_periods_.front().token, false) == 1) {
    GracePeriod finished = std::move(grace_periods_.front());
    grace_periods_.pop_front();
    if (finished.settled) {
      finished.settled({});
    }
  }
  for (GracePeriod& period : grace_periods_) {
    if (period.settled && now - period.published >= kPatience) {
      std::exchange(period.settled, nullptr)(not_confirmed(period.token));
    }
  }
}

std::vector<WorkerIndex> SnapshotSlot::not_confirmed(uint64_t token) const {
  std::vector<WorkerIndex> stalled;
  for (uint16_t worker = 0; worker < workers_; ++worker) {
    const uint64_t seen = __atomic_load_n(&qsbr_->qsbr_cnt[worker].cnt, __ATOMIC_ACQUIRE);
    if (seen != __RTE_QSBR_CNT_THR_OFFLINE && seen < token) {
      stalled.push_back(static_cast<WorkerIndex>(worker));
    }
  }
  return stalled;
}

void SnapshotSlot::join(WorkerIndex worker) {
  rte_rcu_qsbr_thread_register(qsbr_, index(worker));
  rte_rcu_qsbr_thread_online(qsbr_, index(worker));
}

void SnapshotSlot::leave(WorkerIndex worker) {
  rte_rcu_qsbr_thread_offline(qsbr_, index(worker));
  rte_rcu_qsbr_thread_unregister(qsbr_, index(worker));
}

void SnapshotSlot::quiescent(WorkerIndex worker) {
  rte_rcu_qsbr_quiescent(qsbr_, index(worker));
}

}  // namespace ballast
