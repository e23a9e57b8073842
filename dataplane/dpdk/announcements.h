// Sends the announcements of all VIPs that are held, on all ports; belongs to one worker.
//
// What is due says Announcer, one per port. The leases are read once more when the frames are
// written, right before the device gets them: but for the moment between that look and the device,
// nothing is announced after a lease has ended, or only forwards, however long this thread stood
// still.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/neighbor/announcer.h"
#include "dataplane/pipeline/counters.h"
#include "dataplane/service/forwarding_snapshot.h"

struct rte_mbuf;
struct rte_mempool;

namespace ballast {

struct LeasePage;
struct PortPair;

class Announcements {
 public:
  // What is given by reference outlives this; `counters` are those of `worker`.
  Announcements(WorkerIndex worker, std::vector<PortPair>& ports, const LeasePage& leases,
                rte_mempool& pool, WorkerCounters& counters, uint64_t refresh_ns);

  // Every millisecond or so, on the worker's thread.
  void step(const ForwardingSnapshot& snapshot, uint64_t now_ns);

  // Any thread: frames that the ports took.
  [[nodiscard]] uint64_t sent() const { return sent_.read(); }

 private:
  void follow(const ForwardingSnapshot& snapshot, uint64_t now_ns);
  void send(PortIndex port, std::span<const Announcement> due, size_t lease_slots);
  rte_mbuf* write(const Announcement& announcement);

  WorkerIndex worker_;
  std::vector<PortPair>& ports_;
  const LeasePage& leases_;
  rte_mempool& pool_;
  WorkerCounters& counters_;
  std::vector<Announcer> announcers_;              // by PortIndex
  std::vector<MacAddress> port_macs_;              // likewise, as in addresses_' announcers
  std::shared_ptr<const AddressTable> addresses_;  // that the announcers have; null at first
  Counter<uint64_t> sent_;
};

}  // namespace ballast
