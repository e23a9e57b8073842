// The main thread's heartbeat, which does not stop for long work.
//
// Theory of operation
//   The main thread serves one request at a time, and a large one (a hundred thousand servers, a
//   Maglev table) takes longer than its peers' patience for a thread that hangs. So it only says
//   when it comes round its loop; a thread of the pulse's own raises the heartbeat every
//   kPeriodNs, as long as that was not more than kPatienceNs ago. A process that is dead, stopped
//   or frozen falls silent at once, a main thread that hangs after kPatienceNs.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

namespace ballast {

class MainPulse {
 public:
  static constexpr uint64_t kPeriodNs = 5'000'000;
  static constexpr uint64_t kPatienceNs = 5'000'000'000;

  // `heartbeat` outlives the pulse.
  explicit MainPulse(std::atomic<uint64_t>& heartbeat) : heartbeat_(heartbeat) {}
  ~MainPulse() { stop(); }
  MainPulse(const MainPulse&) = delete;
  MainPulse& operator=(const MainPulse&) = delete;

  // Main thread: it comes round its loop, at a time of CLOCK_MONOTONIC.
  void came_round(uint64_t now_ns) { came_round_ns_.store(now_ns, std::memory_order_relaxed); }

  // Main thread: begins to beat, in a thread of its own, until stop().
  void start();
  void stop();

  // One beat: raises the heartbeat, or does not.
  void beat(uint64_t now_ns);

 private:
  void run();

  std::atomic<uint64_t>& heartbeat_;
  std::atomic<uint64_t> came_round_ns_{0};
  std::mutex mutex_;
  std::condition_variable stopped_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace ballast
