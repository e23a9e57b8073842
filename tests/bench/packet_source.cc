#include "tests/bench/packet_source.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include <rte_cycles.h>
#include <rte_mbuf.h>

namespace ballast::bench {
namespace {

uint64_t nanoseconds_of(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

}  // namespace

PacketSource::Stamp PacketSource::Stamp::now() {
  return {nanoseconds_of(CLOCK_MONOTONIC), rte_rdtsc(), nanoseconds_of(CLOCK_THREAD_CPUTIME_ID)};
}

PacketSource::PacketSource(rte_mempool& pool, WorkerIndex worker)
    : pool_(pool), worker_(worker), ring_(kRing) {}

PacketSource::~PacketSource() {
  for (; tail_ != head_; ++tail_) {
    rte_pktmbuf_free(ring_[tail_ % kRing]);
  }
}

// --- main thread

void PacketSource::begin(const Run& run, std::function<void()> loop) {
  run_ = run;
  loop_ = std::move(loop);
  write_frames_ = writer_of(run);
  order_.release();
}

Stretch PacketSource::finish() {
  done_.acquire();
  run_.inspect = nullptr;  // whom it refers to may go now
  return measured_;
}

void PacketSource::dismiss() {
  dismissed_.store(true);
  order_.release();
}

void PacketSource::reset() {
  dismissed_.store(false);
  run_ = {};
  phase_ = Phase::kWaiting;
  left_ = 0;
}

// --- worker's thread

// What the phase under way leads to.
void PacketSource::turn() {
  switch (phase_) {
    case Phase::kWarmUp:
      phase_ = Phase::kMeasured;
      left_ = run_.measured;
      began_ = Stamp::now();
      return;
    case Phase::kMeasured: {
      const Stamp end = Stamp::now();
      measured_ = {run_.measured, end.nanoseconds - began_.nanoseconds, end.cycles - began_.cycles,
                   end.cpu_nanoseconds - began_.cpu_nanoseconds};
      if (run_.on_measured) {
        run_.on_measured();
      }
      phase_ = Phase::kCoolDown;
      [[fallthrough]];
    }
    case Phase::kCoolDown:
      if (run_.until != nullptr && !run_.until->load(std::memory_order_acquire)) {
        left_ = 1024;
        return;
      }
      return end_run();
    case Phase::kEnded:
    case Phase::kDismissed:
      return;
    case Phase::kWaiting:
      return wait_for_order();
  }
}

void PacketSource::end_run() {
  if (in_loop_) {
    phase_ = Phase::kEnded;
    return;
  }
  done_.release();
  wait_for_order();
}

void PacketSource::wait_for_order() {
  phase_ = Phase::kWaiting;
  for (;;) {
    order_.acquire();
    if (dismissed_.load()) {
      phase_ = Phase::kDismissed;
      return;
    }
    phase_ = Phase::kWarmUp;
    left_ = run_.warm_up;
    fill_up();
    if (!loop_) {
      return;
    }
    in_loop_ = true;
    loop_();
    in_loop_ = false;
    done_.release();
  }
}

// All that wait get the present template; those that went elsewhere (dropped, answered) are
// replaced.
void PacketSource::fill_up() {
  while (head_ - tail_ < kHot) {
    rte_mbuf* frame = rte_pktmbuf_alloc(&pool_);
    if (frame == nullptr) {
      break;
    }
    ring_[head_++ % kRing] = frame;
  }
  while (head_ - tail_ > kHot) {
    rte_pktmbuf_free(ring_[tail_++ % kRing]);
  }
  for (uint32_t i = tail_; i != head_; ++i) {
    prepare(*ring_[i % kRing]);
  }
}

void PacketSource::prepare(rte_mbuf& frame) const {
  frame.data_off = RTE_PKTMBUF_HEADROOM;
  auto* bytes = rte_pktmbuf_mtod(&frame, uint8_t*);
  run_.frames != nullptr ? run_.frames->write_template(bytes) : run_.replies->write_template(bytes);
}

uint16_t PacketSource::receive(size_t port, rte_mbuf** frames, uint16_t limit) {
  if (port != run_.port) {
    return 0;
  }
  while (left_ == 0)
    [[unlikely]] {
      turn();
      if (phase_ == Phase::kEnded || phase_ == Phase::kDismissed || port != run_.port) {
        return 0;
      }
    }
  const auto count = static_cast<uint16_t>(std::min<uint64_t>(limit, left_));
  if (head_ - tail_ < kRing / 8) [[unlikely]] {
    fill_up();
  }
  const uint32_t first = tail_ % kRing;
  for (uint16_t i = 0; i < count; ++i) {
    frames[i] = ring_[(first + i) % kRing];
  }
  tail_ += count;
  (this->*write_frames_)(frames, count);
  left_ -= count;
  received_ += count;
  return count;
}

uint16_t PacketSource::transmit(size_t port, rte_mbuf** frames, uint16_t count) {
  if (run_.inspect) [[unlikely]] {
    show(port, frames, count);
  }
  for (uint16_t i = 0; i < count; ++i) {
    ring_[(head_ + i) % kRing] = frames[i];
  }
  head_ += count;
  transmitted_ += count;
  return count;
}

void PacketSource::show(size_t port, rte_mbuf** frames, uint16_t count) const {
  for (uint16_t i = 0; i < count; ++i) {
    const rte_mbuf& frame = *frames[i];
    run_.inspect(
        {frame.hash.fdir.hi, port, {rte_pktmbuf_mtod(&frame, const uint8_t*), frame.data_len}});
  }
}

uint16_t PacketSource::receive_burst(void* queue, rte_mbuf** frames, uint16_t limit) {
  const auto& attachment = *static_cast<Attachment*>(queue);
  return attachment.source->receive(attachment.port, frames, limit);
}

uint16_t PacketSource::transmit_burst(void* queue, rte_mbuf** frames, uint16_t count) {
  const auto& attachment = *static_cast<Attachment*>(queue);
  return attachment.source->transmit(attachment.port, frames, count);
}

// The hash is one that steers to the worker whose source this is: as with a NIC that hashes,
// packets come to their owner. Beside it the flow's number travels along, which nobody else reads.
inline void PacketSource::receive_as_a_driver_does(rte_mbuf& frame, uint16_t size,
                                                   uint32_t number) const {
  frame.data_off = RTE_PKTMBUF_HEADROOM;
  frame.refcnt = 1;
  frame.nb_segs = 1;
  frame.ol_flags = RTE_MBUF_F_RX_RSS_HASH;
  frame.pkt_len = size;
  frame.data_len = size;
  frame.hash.rss = index(worker_);
  frame.hash.fdir.hi = number;
}

template <Family kFamily, IpProtocol kProtocol, Leaves kLeaves, Pattern kPattern>
void PacketSource::write_pattern(rte_mbuf** frames, uint16_t count) {
  Traffic traffic = *run_.traffic;  // in registers meanwhile
  const FrameWriter& writer = *run_.frames;
  const uint16_t size = writer.size();
  for (uint16_t i = 0; i < count; ++i) {
    const Next next = traffic.next<kPattern>();
    receive_as_a_driver_does(*frames[i], size, next.number);
    writer.write<kFamily, kProtocol, kLeaves>(rte_pktmbuf_mtod(frames[i], uint8_t*), next.number,
                                              next.flags);
  }
  *run_.traffic = traffic;
}

template <Family kFamily, IpProtocol kProtocol, Leaves kLeaves>
void PacketSource::write_frames(rte_mbuf** frames, uint16_t count) {
  switch (run_.traffic->pattern()) {
    case Pattern::kKnown:
      return write_pattern<kFamily, kProtocol, kLeaves, Pattern::kKnown>(frames, count);
    case Pattern::kOpen:
      return write_pattern<kFamily, kProtocol, kLeaves, Pattern::kOpen>(frames, count);
    case Pattern::kNew:
      return write_pattern<kFamily, kProtocol, kLeaves, Pattern::kNew>(frames, count);
    case Pattern::kMixed:
      return write_pattern<kFamily, kProtocol, kLeaves, Pattern::kMixed>(frames, count);
    case Pattern::kFlood:
      return write_pattern<kFamily, kProtocol, kLeaves, Pattern::kFlood>(frames, count);
    case Pattern::kStep:
      return write_pattern<kFamily, kProtocol, kLeaves, Pattern::kStep>(frames, count);
  }
}

// kKnown, with the book read from one end to the other, or kStep.
template <Family kFamily, IpProtocol kProtocol>
void PacketSource::write_replies(rte_mbuf** frames, uint16_t count) {
  Traffic traffic = *run_.traffic;
  const ReplyWriter& writer = *run_.replies;
  const FlowBook& book = *run_.book;
  const uint16_t size = writer.size();
  const bool known = traffic.pattern() == Pattern::kKnown;
  for (uint16_t i = 0; i < count; ++i) {
    const Next next = known ? traffic.next<Pattern::kKnown>() : traffic.next<Pattern::kStep>();
    const uint32_t turn = known ? traffic.next_turn() : book.turn_of(next.number);
    receive_as_a_driver_does(*frames[i], size, next.number);
    writer.write<kFamily, kProtocol>(rte_pktmbuf_mtod(frames[i], uint8_t*), next.number,
                                     book.of_turn(turn), next.flags);
  }
  *run_.traffic = traffic;
}

template <Family kFamily, IpProtocol kProtocol>
PacketSource::WriteFrames PacketSource::writer_of(const Run& run) {
  if (run.frames == nullptr) {
    return &PacketSource::write_replies<kFamily, kProtocol>;
  }
  return run.frames->shape().leaves == Leaves::kNothing
             ? &PacketSource::write_frames<kFamily, kProtocol, Leaves::kNothing>
             : &PacketSource::write_frames<kFamily, kProtocol, Leaves::kAllButEthernet>;
}

PacketSource::WriteFrames PacketSource::writer_of(const Run& run) {
  const FrameShape& shape = run.frames != nullptr ? run.frames->shape() : run.replies->shape();
  const bool tcp = shape.protocol == IpProtocol::kTcp;
  if (shape.family == Family::kIpv4) {
    return tcp ? writer_of<Family::kIpv4, IpProtocol::kTcp>(run)
               : writer_of<Family::kIpv4, IpProtocol::kUdp>(run);
  }
  return tcp ? writer_of<Family::kIpv6, IpProtocol::kTcp>(run)
             : writer_of<Family::kIpv6, IpProtocol::kUdp>(run);
}

}  // namespace ballast::bench
