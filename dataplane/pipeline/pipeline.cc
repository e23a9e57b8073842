#include "dataplane/pipeline/pipeline.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "dataplane/packet/plain_packet.h"
#include "dataplane/pipeline/admission.h"

namespace ballast {
namespace {

constexpr uint64_t kNsPerSecond = 1'000'000'000;
constexpr uint32_t kAnswerBurst = 100;
// With a tick each millisecond: half a million connections may end in a second, in slices of some
// ten microseconds.
constexpr uint32_t kExpiriesPerTick = 512;

std::vector<SchedulerCursor> fresh_cursors(uint32_t pools, WorkerIndex worker) {
  return std::vector<SchedulerCursor>(pools, SchedulerCursor{.position = 0, .salt = index(worker)});
}

// Which of them a worker may use is a matter of where the replies arrive.
std::unique_ptr<LocalPorts> make_local_ports(const PipelineSettings& settings,
                                             const PipelineSurroundings& around,
                                             LocalPorts::IsOwned is_owned) {
  if (!settings.connections.translations) {
    return nullptr;
  }
  return std::make_unique<LocalPorts>(settings.local_ports, settings.flow_hash_key,
                                      settings.local_port_seed, std::move(is_owned), around.memory);
}

}  // namespace

Pipeline::Pipeline(const PipelineSettings& settings, const PipelineSurroundings& surroundings)
    : around_(surroundings),
      worker_(settings.worker),
      connections_(
          settings.connections, settings.flow_hash_key,
          [this](const Connection& connection) { return timeout_of(connection); },
          [this](const Connection& connection, ConnectionEnd end) {
            on_connection_end(connection, end);
          },
          surroundings.memory),
      translations_(connections_.translations()),
      ports_(make_local_ports(
          settings, surroundings,
          [this](LocalAddressIndex address, Big16 port, const ServerEndpoint& server) {
            return around_.steering.owner_of_reply(server.address, server.port,
                                                   (*snapshot_->local_addresses)[index(address)],
                                                   port) == worker_;
          })),
      punt_limiter_(settings.punt),
      answer_limit_(settings.answers_per_second, kAnswerBurst),
      fragments_(settings.flow_hash_key, surroundings.memory),
      cursors_(fresh_cursors(settings.max_pools, settings.worker)),
      client_macs_(settings.flow_hash_key),
      identification_(index(settings.worker)) {}

void Pipeline::begin(const ForwardingSnapshot& snapshot, uint64_t now_ns) {
  decided_by_ = {};
  look_around(snapshot, now_ns);
}

void Pipeline::look_around(const ForwardingSnapshot& snapshot, uint64_t now_ns) {
  snapshot_ = &snapshot;
  now_ns_ = now_ns;
  now_ = static_cast<Seconds32>(now_ns / kNsPerSecond);
  const LeaseMasks leases = around_.leases.masks(now_ns, snapshot.lease_slots);
  if (snapshot.serial == 0 || snapshot.serial != snapshot_serial_ || leases != leases_) {
    ++epoch_;
    replies_ = translations_ != nullptr &&
                       (snapshot.addresses->translates() || !snapshot.reply_sources->empty())
                   ? Replies::kSome
                   : Replies::kNone;
    snapshot_serial_ = snapshot.serial;
  }
  leases_ = leases;
  decided_by_.forwarding |= leases_.forwarding;
  decided_by_.answering |= leases_.answering;
}

bool Pipeline::has_lost_a_lease(uint64_t now_ns) const {
  const LeaseMasks now = around_.leases.masks(now_ns, snapshot_->lease_slots);
  return (decided_by_.forwarding & ~now.forwarding) != 0 ||
         (decided_by_.answering & ~now.answering) != 0;
}

void Pipeline::process(std::span<Packet> burst, const ForwardingSnapshot& snapshot,
                       uint64_t now_ns) {
  assert(burst.size() <= kMaxBurst);
  look_around(snapshot, now_ns);
  around_.counters.packets.add(burst.size());
  decide(burst);
}

void Pipeline::decide(std::span<Packet> burst) {
  if (replies_ == Replies::kNone) {
    admit_all<Replies::kNone>(burst);
    look_up_rest<Replies::kNone>();
    return forward_all<Replies::kNone>();
  }
  admit_all<Replies::kSome>(burst);
  look_up_rest<Replies::kSome>();
  forward_all<Replies::kSome>();
}

template <Pipeline::Replies kReplies>
void Pipeline::admit_all(std::span<Packet> burst) {
  flow_count_ = 0;
  for (size_t i = 0; i < burst.size(); ++i) {
    Packet& packet = burst[i];
    Slot& slot = slots_[i];
    if (!parse_plain(packet.view(), slot.parsed)) [[unlikely]] {
      admit_any(packet, slot);
    } else if (const LocalAddress* local = find_gate(packet, slot.parsed); local != nullptr)
        [[likely]] {
      slot.local = local;
      enter_transport<kReplies>(packet, slot);
    } else if (kReplies == Replies::kSome && passes_reply_gate(packet, slot.parsed)) {
      slot.local = nullptr;
      key_of_reply(slot);
      enter_flow<kReplies>(packet, slot);
    } else {
      packet.reason = DropReason::kNone;
      classify(packet, slot);
    }
  }
}

void Pipeline::admit_any(Packet& packet, Slot& slot) {
  const DropReason reason = parse(packet.view(), slot.parsed);
  packet.reason = reason;
  return reason == DropReason::kNone ? classify(packet, slot) : drop(packet, reason);
}

template <Pipeline::Replies kReplies>
void Pipeline::look_up_rest() {
  for (size_t i = flow_count_ - std::min(flow_count_, kLead); i < flow_count_; ++i) {
    fetch_entry<kReplies>(*flows_[i].slot);
  }
}

// What only some packets need to have fetched: an entry by way of its alternative bucket, what
// hangs beside an entry that is about to move.
template <Pipeline::Replies kReplies>
inline void Pipeline::look_closer(Slot& slot) const {
  if (slot.probe.candidate == 0) [[unlikely]] {
    if (kReplies == Replies::kSome && slot.from == Side::kServer) {
      translations_->prefetch_second_entry(slot.probe);
    } else {
      connections_.prefetch_second_entry(slot.probe);
    }
  } else if ((slot.parsed.tcp_flags & (kFin | kRst)) != 0) [[unlikely]] {
    connections_.prefetch_links(slot.probe);
  }
}

template <Pipeline::Replies kReplies>
void Pipeline::forward_all() {
  for (size_t i = 0; i < std::min(kLead, flow_count_); ++i) {
    look_closer<kReplies>(*flows_[i].slot);
  }
  for (size_t i = 0; i < flow_count_; ++i) {
    if (i + kLead < flow_count_) [[likely]] {
      look_closer<kReplies>(*flows_[i + kLead].slot);
    }
    forward<kReplies>(*flows_[i].packet, *flows_[i].slot);
  }
}

void Pipeline::tick(const ForwardingSnapshot& snapshot, uint64_t now_ns,
                    const std::function<void(Packet&)>& release) {
  look_around(snapshot, now_ns);
  connections_.expire(now_, kExpiriesPerTick);
  around_.counters.trusted.set(connections_.trusted());
  around_.counters.untrusted.set(connections_.untrusted());
  around_.counters.waiting.set(waiting_.size());
  if (ports_) {
    ports_->tidy(now_);
    around_.counters.local_ports_taken.set(ports_->taken());
    around_.counters.local_ports_resting.set(ports_->resting());
  }
  release_fragments(release);
  if (waiting_.empty()) {
    return;
  }
  Neighbor neighbor;  // read once for each guest: the main thread may change it at any time
  waiting_.sweep(
      [&](const WaitingRoom::Guest& guest) {
        neighbor = around_.neighbors.get(guest.next_hop);
        return now_ns >= guest.deadline_ns || neighbor.state != NeighborState::kUnknown;
      },
      [&](WaitingRoom::Guest& guest) {
        if (holds(guest.vip)) {
          deliver(guest.packet, neighbor);
        } else {  // another node's by now
          drop(guest.packet, DropReason::kVipNotOwned);
        }
        release(guest.packet);
      });
}

void Pipeline::drain(const std::function<void(Packet&)>& release) {
  fragments_.drain([&](Packet& packet) {
    packet.verdict = Verdict::kDrop;
    release(packet);
  });
  waiting_.sweep([](const WaitingRoom::Guest&) { return true; },
                 [&](WaitingRoom::Guest& guest) {
                   guest.packet.verdict = Verdict::kDrop;
                   release(guest.packet);
                 });
}

}  // namespace ballast
