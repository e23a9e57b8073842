// What the main thread asks of a worker: answered between bursts, a slice at a time, without
// stopping it.
#pragma once

#include <atomic>

#include "dataplane/pipeline/pipeline.h"
#include "dataplane/service/forwarding_snapshot.h"

namespace ballast {

class WorkerJob {
 public:
  virtual ~WorkerJob() = default;
  // A slice of at most some microseconds, on the worker's thread. True when the job is done.
  virtual bool step(const Pipeline& pipeline, const ForwardingSnapshot& snapshot,
                    Seconds32 now) = 0;
};

// One job at a time. The main thread owns the job and may touch it again only when the slot is
// free.
class JobSlot {
 public:
  // Main thread; the slot must be free.
  void post(WorkerJob& job) { job_.store(&job, std::memory_order_release); }
  [[nodiscard]] bool is_free() const { return job_.load(std::memory_order_acquire) == nullptr; }

  // Worker thread.
  void step(const Pipeline& pipeline, const ForwardingSnapshot& snapshot, Seconds32 now) {
    WorkerJob* job = job_.load(std::memory_order_acquire);
    if (job != nullptr && job->step(pipeline, snapshot, now)) {
      job_.store(nullptr, std::memory_order_release);
    }
  }

 private:
  std::atomic<WorkerJob*> job_{nullptr};
};

}  // namespace ballast
