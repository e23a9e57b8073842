#include "dataplane/dpdk/announcements.h"

#include <array>

#include <rte_mbuf.h>

#include "dataplane/api/lease_page.h"
#include "dataplane/dpdk/monotonic_clock.h"
#include "dataplane/dpdk/worker.h"

namespace ballast {
namespace {

static_assert(kLeaseSlots <= Announcer::kSlots);

std::vector<AnnouncedAddress> addresses_of(const AddressTable& table, const MacAddress& port_mac) {
  std::vector<AnnouncedAddress> result;
  for (const LocalAddress& local : table.all()) {
    if (local.role != AddressRole::kNode) {
      result.push_back(
          {local.address, local.virtual_mac.is_zero() ? port_mac : local.virtual_mac, local.lease});
    }
  }
  return result;
}

}  // namespace

Announcements::Announcements(WorkerIndex worker, std::vector<PortPair>& ports,
                             const LeasePage& leases, rte_mempool& pool, WorkerCounters& counters,
                             uint64_t refresh_ns)
    : worker_(worker),
      ports_(ports),
      leases_(leases),
      pool_(pool),
      counters_(counters),
      announcers_(ports.size(), Announcer(refresh_ns)),
      port_macs_(ports.size()) {}

void Announcements::step(const ForwardingSnapshot& snapshot, uint64_t now_ns) {
  follow(snapshot, now_ns);
  const size_t slots = snapshot.lease_slots;
  const uint64_t answering = leases_.masks(now_ns, slots).answering;
  std::array<uint64_t, kLeaseSlots> wishes{};
  for (size_t slot = 0; slot < slots; ++slot) {
    wishes[slot] = leases_.announce_at_ns[slot].load(std::memory_order_acquire);
  }
  for (size_t port = 0; port < announcers_.size(); ++port) {
    std::array<Announcement, Announcer::kFramesPerMillisecond> due;
    const size_t count = announcers_[port].poll(answering, {wishes.data(), slots}, now_ns, due);
    if (count != 0) {
      send(static_cast<PortIndex>(port), {due.data(), count}, slots);
    }
  }
}

void Announcements::follow(const ForwardingSnapshot& snapshot, uint64_t now_ns) {
  const bool new_table = snapshot.addresses != addresses_;
  for (size_t port = 0; port < announcers_.size(); ++port) {
    const PortState& state = snapshot.ports[port];
    if (new_table || state.mac != port_macs_[port]) {
      port_macs_[port] = state.mac;
      announcers_[port].set_addresses(addresses_of(*snapshot.addresses, state.mac), now_ns);
    }
    announcers_[port].set_port_up(state.up, now_ns);
  }
  if (new_table) {
    addresses_ = snapshot.addresses;
  }
}

void Announcements::send(PortIndex port, std::span<const Announcement> due, size_t lease_slots) {
  std::array<rte_mbuf*, Announcer::kFramesPerMillisecond> written{};
  for (size_t i = 0; i < due.size(); ++i) {
    written[i] = write(due[i]);
  }
  std::array<rte_mbuf*, Announcer::kFramesPerMillisecond> frames{};
  uint16_t count = 0;
  const uint64_t answering = leases_.masks(monotonic_ns(), lease_slots).answering;
  for (size_t i = 0; i < due.size(); ++i) {
    if ((answering >> index(due[i].what.lease) & 1) != 0 && written[i] != nullptr) {
      frames[count++] = written[i];
    } else {
      rte_pktmbuf_free(written[i]);  // which may be null
    }
  }
  const Transmission done = ports_[index(port)].port->transmit(worker_, frames.data(), count);
  sent_.add(done.sent);
  for (uint16_t i = done.sent; i < count; ++i) {
    counters_.drop(done.reason_of(i, count));
    rte_pktmbuf_free(frames[i]);
  }
}

// Null, and counted, when there is no buffer.
rte_mbuf* Announcements::write(const Announcement& announcement) {
  rte_mbuf* mbuf = rte_pktmbuf_alloc(&pool_);
  if (mbuf != nullptr) {
    FrameBuffer frame{.data = rte_pktmbuf_mtod(mbuf, uint8_t*),
                      .length = 0,
                      .capacity = rte_pktmbuf_tailroom(mbuf)};
    if (build_announcement(frame, announcement)) {
      mbuf->data_len = frame.length;
      mbuf->pkt_len = frame.length;
      return mbuf;
    }
    rte_pktmbuf_free(mbuf);
  }
  counters_.drop(DropReason::kNoBuffer);
  return nullptr;
}

}  // namespace ballast
