#include "dataplane/dpdk/worker.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>

#include <fmt/format.h>
#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <rte_random.h>
#include <rte_ring.h>

#include "dataplane/api/lease_page.h"
#include "dataplane/dpdk/monotonic_clock.h"
#include "dataplane/packet/wire.h"

namespace ballast {
namespace {

constexpr unsigned kInboxFrames = 1024;
// A system call for each port: every 50 us two of them cost a busy worker 2 % of its time, every
// 100 us 1 %. A burst each time: up to 640,000 frames a second.
constexpr uint64_t kTwinPollNs = 100'000;
constexpr uint64_t kTickNs = 1'000'000;
constexpr uint32_t kEmptyPollsBeforeSleep = 32;
constexpr long kSleepNs = 50'000;

[[noreturn]] void give_up(const std::string& why) {
  fmt::print(stderr, "ballast-dataplane: {}\n", why);
  std::exit(EXIT_FAILURE);
}

rte_ring* make_inbox(WorkerIndex worker) {
  rte_ring* ring = rte_ring_create(fmt::format("inbox-{}", index(worker)).c_str(), kInboxFrames, 0,
                                   RING_F_SC_DEQ);
  if (ring == nullptr) {
    give_up(fmt::format("no memory for the inbox of worker {}: raise memory_mb", index(worker)));
  }
  return ring;
}

// Of a frame of the longest MTU, behind what fits into the first buffer.
size_t longest_rest(const std::vector<PortPair>& ports, rte_mempool& pool) {
  const size_t room = rte_pktmbuf_data_room_size(&pool) - size_t{RTE_PKTMBUF_HEADROOM};
  size_t longest = room;
  for (const PortPair& pair : ports) {
    longest = std::max(longest, sizeof(EthernetHeader) + sizeof(VlanTag) + pair.port->mtu());
  }
  return longest - room;
}

HandOverField find_hand_over_field() {
  const auto field = HandOverField::find_or_register();
  if (!field) {
    give_up(field.error());
  }
  return *field;
}

// In place: a packet that is put together elsewhere and copied would be read before its fields have
// left the store buffer.
void describe(rte_mbuf* frame, PortIndex port, bool hashed, Packet& packet) {
  packet.data = rte_pktmbuf_mtod(frame, uint8_t*);
  packet.size = rte_pktmbuf_data_len(frame);
  packet.capacity = static_cast<uint16_t>(frame->buf_len - frame->data_off);
  packet.headroom = frame->data_off;
  packet.frame_size = rte_pktmbuf_pkt_len(frame);
  packet.rss_hash = frame->hash.rss;
  packet.has_rss_hash = hashed && (frame->ol_flags & RTE_MBUF_F_RX_RSS_HASH) != 0;
  packet.in_port = port;
  packet.handle = frame;
  packet.handed_over = HandOver::kNone;
  packet.replaced = false;
  packet.fragment_mtu = 0;
  packet.grown = 0;
  packet.datagram_source_port = Big16{};
  packet.datagram_destination_port = Big16{};
}

// The same of a frame that came from another worker.
void take_note(const HandOverNote& note, Packet& packet) {
  packet.handed_over = note.kind;
  packet.datagram_source_port = note.datagram_source_port;
  packet.datagram_destination_port = note.datagram_destination_port;
  packet.datagram_protocol = note.datagram_protocol;
}

// The pipeline put headers in front of the frame. Doing it twice does no harm.
void take_over_front(const Packet& packet) {
  auto* frame = static_cast<rte_mbuf*>(packet.handle);
  frame->data_off = static_cast<uint16_t>(packet.data - static_cast<uint8_t*>(frame->buf_addr));
  frame->data_len = packet.size;
  frame->pkt_len = packet.frame_size;
}

// The pipeline wrote the frame anew: one segment of this length.
void take_over_length(rte_mbuf* frame, uint16_t length) {
  if (frame->next != nullptr) {
    rte_pktmbuf_free(frame->next);
    frame->next = nullptr;
    frame->nb_segs = 1;
  }
  frame->data_len = length;
  frame->pkt_len = length;
}

}  // namespace

Worker::Worker(const PipelineSettings& settings, const PipelineSurroundings& pipeline_surroundings,
               const Surroundings& surroundings)
    : index_(settings.worker),
      around_(surroundings),
      counters_(pipeline_surroundings.counters),
      pipeline_(settings, pipeline_surroundings),
      inbox_(make_inbox(settings.worker)),
      hand_over_field_(find_hand_over_field()),
      receivers_(receivers_of(surroundings.ports)),
      transmit_buffers_(surroundings.ports.size()),
      arrivals_(surroundings.ports.size()),
      rest_of_frame_(longest_rest(surroundings.ports, surroundings.pool)),
      announcements_(index_ == WorkerIndex{0} && around_.announce_refresh_ns
                         ? std::make_unique<Announcements>(index_, around_.ports, around_.leases,
                                                           around_.pool, counters_,
                                                           *around_.announce_refresh_ns)
                         : nullptr),
      fragmenter_(around_.pool, index_, pipeline_surroundings.steering.workers(), rte_rand()),
      twin_ages_(surroundings.ports.size(), TwinAge(0)),
      long_turn_(rte_get_tsc_hz() / 1000) {}

Worker::~Worker() {
  rte_ring_free(inbox_);
}

void Worker::meet(std::span<const std::unique_ptr<Worker>> everyone) {
  for (const auto& worker : everyone) {
    inboxes_.push_back(worker->inbox_);
  }
}

void Worker::run() {
  std::atomic<uint64_t>& alive_ns = around_.leases.worker_alive_ns[index(index_)];
  around_.snapshots.join(index_);
  while (!stop_.load(std::memory_order_relaxed)) {
    const ForwardingSnapshot& snapshot = around_.snapshots.current();
    turn_began_ = rte_rdtsc();
    const uint64_t now_ns = monotonic_ns();
    pipeline_.begin(snapshot, now_ns);
    size_t work = poll_ports(snapshot, now_ns) + poll_hand_overs(snapshot, now_ns);
    if (now_ns >= next_twin_poll_ns_) {
      next_twin_poll_ns_ = now_ns + kTwinPollNs;
      work += poll_twins(snapshot, now_ns);
    }
    if (now_ns >= next_tick_ns_) {
      next_tick_ns_ = now_ns + kTickNs;
      pipeline_.tick(snapshot, now_ns, [this](Packet& packet) { carry_out(packet); });
      if (announcements_) {
        announcements_->step(snapshot, now_ns);
      }
    }
    flush_all();
    jobs_.step(pipeline_, snapshot, static_cast<Seconds32>(now_ns / 1'000'000'000));
    around_.snapshots.quiescent(index_);
    alive_ns.store(now_ns, std::memory_order_release);
    back_off(work);
  }
  pipeline_.drain([](Packet& packet) { rte_pktmbuf_free(static_cast<rte_mbuf*>(packet.handle)); });
  around_.snapshots.leave(index_);
  finished_.store(true, std::memory_order_release);
}

std::vector<Worker::Receiver> Worker::receivers_of(const std::vector<PortPair>& ports) {
  std::vector<Receiver> receivers;
  for (size_t i = 0; i < ports.size(); ++i) {
    EthernetDevice* const device = &ports[i].port->ethernet();
    auto receiver = std::find_if(receivers.begin(), receivers.end(),
                                 [&](const Receiver& known) { return known.device == device; });
    if (receiver == receivers.end()) {
      receivers.push_back({device, {}, {}});
      receiver = receivers.end() - 1;
    }
    receiver->ports.push_back(static_cast<PortIndex>(i));
    receiver->by_vlan.add(ports[i].port->vlan(), static_cast<PortIndex>(i));
  }
  return receivers;
}

size_t Worker::poll_ports(const ForwardingSnapshot& snapshot, uint64_t now_ns) {
  Port::Burst frames;
  size_t work = 0;
  for (const Receiver& receiver : receivers_) {
    const uint16_t count = receiver.device->receive(index_, frames);
    if (count == 0) {
      continue;
    }
    work += count;
    if (receiver.device->carries_tags()) {
      sort_by_tag(receiver, {frames.data(), count}, snapshot, now_ns);
    } else {
      process({frames.data(), count}, receiver.ports.front(), Origin::kPort, snapshot, now_ns);
    }
  }
  return work;
}

// What arrived on one device goes to its ports.
void Worker::sort_by_tag(const Receiver& receiver, std::span<rte_mbuf*> frames,
                         const ForwardingSnapshot& snapshot, uint64_t now_ns) {
  for (rte_mbuf* frame : frames) {
    const uint32_t length = length_on_wire(*frame);
    const std::optional<PortIndex> port = receiver.by_vlan.take_in(*frame);
    if (!port) {
      discard(frame, DropReason::kVlanUnexpected);
      continue;
    }
    around_.ports[index(*port)].port->count_received(index_, length);
    FrameList& list = arrivals_[index(*port)];
    list.frames[list.count++] = frame;
  }
  for (const PortIndex port : receiver.ports) {
    FrameList& list = arrivals_[index(port)];
    if (list.count != 0) {
      process({list.frames.data(), list.count}, port, Origin::kPort, snapshot, now_ns);
      list.count = 0;
    }
  }
}

size_t Worker::poll_hand_overs(const ForwardingSnapshot& snapshot, uint64_t now_ns) {
  if (rte_ring_empty(inbox_) != 0) {
    return 0;
  }
  Port::Burst frames{};
  const unsigned count =
      rte_ring_dequeue_burst(inbox_, reinterpret_cast<void**>(frames.data()), kBurst, nullptr);
  // By runs of one port. mbuf.port names the dataplane's port here: hand_over() wrote it.
  for (unsigned begin = 0; begin < count;) {
    unsigned end = begin + 1;
    while (end < count && frames[end]->port == frames[begin]->port) {
      ++end;
    }
    process({&frames[begin], end - begin}, static_cast<PortIndex>(frames[begin]->port),
            Origin::kWorker, snapshot, now_ns);
    begin = end;
  }
  return count;
}

void Worker::process(std::span<rte_mbuf*> frames, PortIndex port, Origin origin,
                     const ForwardingSnapshot& snapshot, uint64_t now_ns) {
  const bool hashed = around_.ports[index(port)].port->hashes_for_us();
  for (rte_mbuf* frame : frames) {
    rte_prefetch0(rte_pktmbuf_mtod(frame, void*));
  }
  for (size_t i = 0; i < frames.size(); ++i) {
    describe(frames[i], port, hashed, packets_[i]);
    if (origin == Origin::kWorker) {
      take_note(hand_over_field_.of(frames[i]), packets_[i]);
    }
  }
  const std::span<Packet> burst(packets_.data(), frames.size());
  pipeline_.process(burst, snapshot, now_ns);
  for (size_t i = 0; i < burst.size();) {
    const size_t sent = transmit_run(burst.subspan(i));
    if (sent == 0) {
      carry_out(burst[i]);
    }
    i += std::max<size_t>(sent, 1);
  }
}

// How many packets of the beginning of the burst leave by one port in one piece each; they are put
// into its buffer.
size_t Worker::transmit_run(std::span<Packet> packets) {
  const auto leaves_in_one_piece = [](const Packet& packet) {
    return packet.verdict == Verdict::kTransmit && !packet.replaced && packet.fragment_mtu == 0;
  };
  if (!leaves_in_one_piece(packets.front())) {
    return 0;
  }
  const PortIndex port = packets.front().out_port;
  FrameList& buffer = transmit_buffers_[index(port)];
  const size_t most = std::min<size_t>(packets.size(), buffer.frames.size() - buffer.count);
  size_t taken = 0;
  for (; taken < most && packets[taken].out_port == port && leaves_in_one_piece(packets[taken]);
       ++taken) {
    if (packets[taken].grown != 0) {
      take_over_front(packets[taken]);
    }
    buffer.frames[buffer.count + taken] = static_cast<rte_mbuf*>(packets[taken].handle);
  }
  buffer.count = static_cast<uint16_t>(buffer.count + taken);
  if (buffer.count == buffer.frames.size()) {
    flush(port);
  }
  return taken;
}

void Worker::carry_out(Packet& packet) {
  auto* frame = static_cast<rte_mbuf*>(packet.handle);
  if (packet.replaced) {
    take_over_length(frame, packet.size);
    packet.replaced = false;
  } else if (packet.grown != 0) {
    take_over_front(packet);
  }
  switch (packet.verdict) {
    case Verdict::kDrop:
      return rte_pktmbuf_free(frame);
    case Verdict::kTransmit:
      return packet.fragment_mtu == 0
                 ? transmit(frame, packet.out_port)
                 : transmit_in_fragments(frame, packet.fragment_mtu, packet.out_port);
    case Verdict::kKernel:
      return to_kernel(frame, packet.in_port);
    case Verdict::kHandOver:
      return hand_over(packet);
    case Verdict::kHold:
      return;
  }
}

void Worker::transmit(rte_mbuf* frame, PortIndex port) {
  FrameList& buffer = transmit_buffers_[index(port)];
  buffer.frames[buffer.count++] = frame;
  if (buffer.count == buffer.frames.size()) {
    flush(port);
  }
}

void Worker::transmit_in_fragments(rte_mbuf* frame, uint16_t mtu, PortIndex port) {
  const auto fragments = fragmenter_.cut(*frame, mtu);
  if (!fragments) {
    return discard(frame, fragments.error());
  }
  for (rte_mbuf* fragment : *fragments) {
    transmit(fragment, port);
  }
  fragments_sent_.add(fragments->size());
  rte_pktmbuf_free(frame);
}

void Worker::flush(PortIndex port) {
  FrameList& buffer = transmit_buffers_[index(port)];
  // A process that was stopped in the middle of a turn goes on there, whatever happened meanwhile.
  if (rte_rdtsc() - turn_began_ > long_turn_ && pipeline_.has_lost_a_lease(monotonic_ns())) {
    for (uint16_t i = 0; i < buffer.count; ++i) {
      discard(buffer.frames[i], DropReason::kLeaseEnded);
    }
    buffer.count = 0;
    return;
  }
  send(port, {buffer.frames.data(), buffer.count});
  buffer.count = 0;
}

// How many of the frames the device took; the others are dropped.
uint16_t Worker::send(PortIndex port, std::span<rte_mbuf*> frames) {
  const Transmission done = around_.ports[index(port)].port->transmit(
      index_, frames.data(), static_cast<uint16_t>(frames.size()));
  for (size_t i = done.sent; i < frames.size(); ++i) {
    discard(frames[i], done.reason_of(i, frames.size()));
  }
  return done.sent;
}

void Worker::flush_all() {
  for (size_t port = 0; port < transmit_buffers_.size(); ++port) {
    if (transmit_buffers_[port].count != 0) {
      flush(static_cast<PortIndex>(port));
    }
  }
}

void Worker::hand_over(const Packet& packet) {
  auto* frame = static_cast<rte_mbuf*>(packet.handle);
  frame->port = index(packet.in_port);
  hand_over_field_.of(frame) = {.datagram_source_port = packet.datagram_source_port,
                                .datagram_destination_port = packet.datagram_destination_port,
                                .datagram_protocol = packet.datagram_protocol,
                                .kind = packet.hand_over_for};
  if (rte_ring_enqueue(inboxes_[index(packet.owner)], frame) != 0) {
    discard(frame, DropReason::kHandOverFull);
  }
}

void Worker::discard(rte_mbuf* frame, DropReason reason) {
  counters_.drop(reason);
  rte_pktmbuf_free(frame);
}

void Worker::back_off(size_t work) {
  counters_.polls.add(1);
  if (work != 0) {
    empty_polls_ = 0;
    return;
  }
  counters_.idle_polls.add(1);
  if (around_.sleeps_when_idle && ++empty_polls_ > kEmptyPollsBeforeSleep) {
    const timespec pause{.tv_sec = 0, .tv_nsec = kSleepNs};
    nanosleep(&pause, nullptr);
  }
}

}  // namespace ballast
