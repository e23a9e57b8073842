#include "dataplane/dpdk/main_pulse.h"

#include <chrono>

#include "dataplane/dpdk/monotonic_clock.h"

namespace ballast {

void MainPulse::start() {
  stop_ = false;
  came_round(monotonic_ns());
  thread_ = std::thread([this] { run(); });
}

void MainPulse::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stopped_.notify_one();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void MainPulse::beat(uint64_t now_ns) {
  // The main thread may have come round since `now_ns` was read.
  if (now_ns <= came_round_ns_.load(std::memory_order_relaxed) + kPatienceNs) {
    heartbeat_.store(now_ns, std::memory_order_release);
  }
}

void MainPulse::run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    beat(monotonic_ns());
    stopped_.wait_for(lock, std::chrono::nanoseconds(kPeriodNs), [this] { return stop_; });
  }
}

}  // namespace ballast
