// Where a worker's packets come from and where they go to, for benchmarks: a few thousand hot
// mbufs that go round.
//
// Theory of operation
//   The ports are DPDK's net_null devices, whose burst functions are replaced (rte_eth_fp_ops) by
//   receive() and transmit() of a source. receive() takes the mbufs that have waited longest, makes
//   each the next frame of the traffic (traffic.h, frame_writer.h) and fills in what a driver
//   fills in; transmit() of any port puts them back. A run's frames come in by one port: from the
//   clients, or from the servers. Nothing is allocated, no table is read, and
//   the mbufs with their data fit into the second-level cache. A buffer whose frame the balancer
//   wrote anew (an answer) has the template again from the next run on.
//
//   The worker's own thread takes the time: a run is so many packets to warm up and so many to be
//   measured, from the receive() that gives the first of them to the receive() that comes after the
//   last one was sent. Between two runs receive() does not return: the worker waits there for the
//   next order, on no core.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <semaphore>
#include <span>
#include <vector>

#include "dataplane/packet/numbers.h"
#include "tests/bench/frame_writer.h"
#include "tests/bench/traffic.h"

struct rte_mbuf;
struct rte_mempool;

namespace ballast::bench {

// How long a run's measured packets took, and how many there were.
struct Stretch {
  uint64_t packets = 0;
  uint64_t nanoseconds = 0;
  uint64_t cycles = 0;           // of the time stamp counter
  uint64_t cpu_nanoseconds = 0;  // of the worker's thread

  // Another thread had the core for a while.
  [[nodiscard]] bool disturbed() const {
    return static_cast<double>(cpu_nanoseconds) < 0.98 * static_cast<double>(nanoseconds);
  }
  [[nodiscard]] double ns_per_packet() const {
    return static_cast<double>(nanoseconds) / static_cast<double>(packets);
  }
  [[nodiscard]] double cycles_per_packet() const {
    return static_cast<double>(cycles) / static_cast<double>(packets);
  }
};

// A frame as the balancer sent it.
struct SentFrame {
  uint32_t number;  // of its flow
  size_t port;      // that it left by
  std::span<const uint8_t> bytes;
};

class PacketSource {
 public:
  using Inspect = std::function<void(const SentFrame&)>;

  struct Run {
    Traffic* traffic = nullptr;  // goes on where it was
    // One of them: what clients send, or what servers do, by the book.
    const FrameWriter* frames = nullptr;
    const ReplyWriter* replies = nullptr;
    FlowBook* book = nullptr;
    size_t port = 0;  // by which the frames come in
    uint64_t warm_up = 0;
    uint64_t measured = 0;
    // After the measured ones packets go on until this is true; null: at once.
    const std::atomic<bool>* until = nullptr;
    // Called once the measured packets are through.
    std::function<void()> on_measured;
    // Called for each frame that is sent; not in runs that are measured.
    Inspect inspect;
  };

  PacketSource(rte_mempool& pool, WorkerIndex worker);
  ~PacketSource();
  PacketSource(const PacketSource&) = delete;
  PacketSource& operator=(const PacketSource&) = delete;

  // --- main thread; a worker must be running or about to run
  // begin() returns at once; finish() waits for the end of the run.
  void begin(const Run& run) { begin(run, nullptr); }
  // On the worker's thread, but through `loop` instead of the worker: it receives and transmits
  // until ended().
  void begin(const Run& run, std::function<void()> loop);
  Stretch finish();
  Stretch run(const Run& run) {
    begin(run);
    return finish();
  }
  // Lets the worker leave: from now on there are no packets, and receive() returns.
  void dismiss();
  // Receives again.
  void reset();
  // Since the source was made.
  [[nodiscard]] uint64_t received() const { return received_; }
  [[nodiscard]] uint64_t transmitted() const { return transmitted_; }

  // --- worker's thread
  uint16_t receive(size_t port, rte_mbuf** frames, uint16_t limit);
  uint16_t transmit(size_t port, rte_mbuf** frames, uint16_t count);
  // Of a loop given to begin().
  [[nodiscard]] bool ended() const { return phase_ == Phase::kEnded; }

  // As rte_ethdev calls them; the queue is an Attachment.
  struct Attachment {
    PacketSource* source;
    size_t port;
  };
  static uint16_t receive_burst(void* queue, rte_mbuf** frames, uint16_t limit);
  static uint16_t transmit_burst(void* queue, rte_mbuf** frames, uint16_t count);

 private:
  static constexpr uint32_t kHot = 2048;
  static constexpr uint32_t kRing = 8192;

  enum class Phase : uint8_t { kWaiting, kWarmUp, kMeasured, kCoolDown, kEnded, kDismissed };

  struct Stamp {
    uint64_t nanoseconds = 0;
    uint64_t cycles = 0;
    uint64_t cpu_nanoseconds = 0;
    static Stamp now();
  };

  void turn();
  void wait_for_order();
  void end_run();
  void fill_up();
  void prepare(rte_mbuf& frame) const;
  void receive_as_a_driver_does(rte_mbuf& frame, uint16_t size, uint32_t number) const;
  template <Family kFamily, IpProtocol kProtocol, Leaves kLeaves>
  void write_frames(rte_mbuf** frames, uint16_t count);
  template <Family kFamily, IpProtocol kProtocol, Leaves kLeaves, Pattern kPattern>
  void write_pattern(rte_mbuf** frames, uint16_t count);
  template <Family kFamily, IpProtocol kProtocol>
  void write_replies(rte_mbuf** frames, uint16_t count);
  using WriteFrames = void (PacketSource::*)(rte_mbuf**, uint16_t);
  template <Family kFamily, IpProtocol kProtocol>
  static WriteFrames writer_of(const Run& run);
  static WriteFrames writer_of(const Run& run);
  void show(size_t port, rte_mbuf** frames, uint16_t count) const;

  rte_mempool& pool_;
  WorkerIndex worker_;
  Run run_;
  WriteFrames write_frames_ = nullptr;
  std::function<void()> loop_;
  Phase phase_ = Phase::kWaiting;
  bool in_loop_ = false;
  uint64_t left_ = 0;  // packets of the phase
  uint64_t received_ = 0;
  uint64_t transmitted_ = 0;
  Stamp began_;
  Stretch measured_;
  std::binary_semaphore order_{0};
  std::binary_semaphore done_{0};
  std::atomic<bool> dismissed_{false};

  uint32_t head_ = 0;  // where the next mbuf comes back
  uint32_t tail_ = 0;  // the mbuf that has waited longest
  std::vector<rte_mbuf*> ring_;
};

}  // namespace ballast::bench
