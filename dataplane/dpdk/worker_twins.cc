// What a worker takes from the kernel twins of ports, and gives to them.
#include <algorithm>
#include <array>
#include <cstring>

#include <rte_mbuf.h>

#include "dataplane/dpdk/monotonic_clock.h"
#include "dataplane/dpdk/worker.h"

namespace ballast {

// Every twin has one reader, so that its frames keep their order.
size_t Worker::poll_twins(const ForwardingSnapshot& snapshot, uint64_t now_ns) {
  size_t work = 0;
  for (size_t port = index(index_); port < around_.ports.size(); port += inboxes_.size()) {
    work += poll_twin(static_cast<PortIndex>(port), snapshot, now_ns);
  }
  return work;
}

size_t Worker::poll_twin(PortIndex port, const ForwardingSnapshot& snapshot, uint64_t now_ns) {
  TwinAge& age = twin_ages_[index(port)];
  Port::Burst admitted;
  size_t count = 0;
  size_t read = 0;
  for (; read < kBurst; ++read) {
    bool empty = false;
    rte_mbuf* frame = read_twin(port, empty);
    if (empty) {
      age.found_empty(now_ns);
      break;
    }
    if (frame == nullptr) {
      counters_.drop(DropReason::kNoBuffer);
      break;
    }
    age.took(now_ns);
    counters_.from_kernel.add(1);
    const PacketView view(rte_pktmbuf_mtod(frame, uint8_t*), frame->data_len, frame->pkt_len);
    if (advert_gate_.admit(view, snapshot, age, monotonic_ns)) {
      admitted[count++] = frame;
    } else {
      discard(frame, DropReason::kAdvertStale);
    }
  }
  transmit_from_twin(port, {admitted.data(), count});
  return read;
}

// Null when the twin has no frame (`empty`), or there is no buffer for it.
rte_mbuf* Worker::read_twin(PortIndex port, bool& empty) {
  rte_mbuf* frame = rte_pktmbuf_alloc(&around_.pool);
  if (frame == nullptr) {
    return nullptr;
  }
  const size_t room = rte_pktmbuf_tailroom(frame);
  const size_t length = around_.ports[index(port)].twin.read(
      {rte_pktmbuf_mtod(frame, uint8_t*), room}, rest_of_frame_);
  empty = length == 0;
  frame->data_len = static_cast<uint16_t>(std::min(length, room));
  frame->pkt_len = frame->data_len;
  if (empty || (length > room && !append(frame, std::span(rest_of_frame_).first(length - room)))) {
    rte_pktmbuf_free(frame);
    return nullptr;
  }
  return frame;
}

// In further buffers.
bool Worker::append(rte_mbuf* frame, std::span<const uint8_t> rest) {
  while (!rest.empty()) {
    rte_mbuf* segment = rte_pktmbuf_alloc(&around_.pool);
    if (segment == nullptr) {
      return false;
    }
    const size_t length = std::min<size_t>(rest.size(), rte_pktmbuf_tailroom(segment));
    std::memcpy(rte_pktmbuf_append(segment, static_cast<uint16_t>(length)), rest.data(), length);
    rest = rest.subspan(length);
    if (rte_pktmbuf_chain(frame, segment) != 0) {
      rte_pktmbuf_free(segment);
      return false;
    }
  }
  return true;
}

// At once, past the buffer of what is forwarded, so that the device says how many of them it took.
void Worker::transmit_from_twin(PortIndex port, std::span<rte_mbuf*> frames) {
  if (frames.empty()) {
    return;
  }
  const uint16_t sent = send(port, frames);
  std::atomic<uint64_t>& transmitted = around_.leases.twin_transmitted[index(port)];
  transmitted.store(transmitted.load(std::memory_order_relaxed) + sent, std::memory_order_relaxed);
}

void Worker::to_kernel(rte_mbuf* frame, PortIndex port) {
  std::array<std::span<const uint8_t>, 16> pieces;
  size_t count = 0;
  for (const rte_mbuf* segment = frame; segment != nullptr && count < pieces.size();
       segment = segment->next) {
    pieces[count++] = {rte_pktmbuf_mtod(segment, const uint8_t*), segment->data_len};
  }
  if (frame->nb_segs > count ||
      !around_.ports[index(port)].twin.write(std::span(pieces.data(), count))) {
    return discard(frame, DropReason::kTwinFull);
  }
  counters_.punted.add(1);
  rte_pktmbuf_free(frame);
}

}  // namespace ballast
