// Which MAC address the dataplane uses for a next hop. Pure.
//
// The rule: a known MAC is used until it is replaced or the kernel says FAILED. The kernel forgets
// more readily: its garbage collection drops stale entries, a link that goes down takes its
// neighbours with it, and an entry that is asked for anew is INCOMPLETE for a while. None of this
// is a reason to stop forwarding to a server. So:
//
//   kernel says                                              remembered
//   REACHABLE, STALE, DELAY, PROBE, PERMANENT, with a MAC    known, with that MAC
//   FAILED                                                   failed
//   INCOMPLETE, NONE                                         as before
//   entry deleted, neighbour to be kept and known            as before
//   entry deleted, otherwise                                 forgotten
//
// Neighbours are named by the link's name, not its index, so that they survive a twin that is made
// anew. Bounded by the kernel's own neighbour table (gc_thresh3) and the set to keep.
#pragma once

#include <compare>
#include <map>
#include <set>
#include <string>

#include "control/netlink/kernel_state.h"

namespace ballast::netlink {

struct NextHop {
  std::string link;
  IpAddress address;

  friend auto operator<=>(const NextHop&, const NextHop&) = default;
};

struct RememberedNeighbor {
  MacAddress mac;  // zero unless known
  NeighborState state = NeighborState::kUnknown;

  friend bool operator==(const RememberedNeighbor&, const RememberedNeighbor&) = default;
};

class NeighborMemory {
 public:
  // What the kernel says now; null for no entry. True if what is remembered changed.
  bool observe(const NextHop& neighbor, const KernelNeighbor* seen);

  // What somebody else remembered, a ballastd before this one: as if the kernel had known it and
  // had forgotten it.
  void adopt(const NextHop& neighbor, const MacAddress& mac);

  // Observes whatever `changes` names, of the links in `links`; with changes.everything (or a
  // changed link) all of them. Returns those that changed.
  std::set<NextHop> follow(const KernelState& state, const KernelChanges& changes,
                           const std::set<std::string>& links);

  // Those that are remembered although the kernel has no entry any more. Returns those that are
  // forgotten by this.
  std::set<NextHop> keep(std::set<NextHop> neighbors);

  [[nodiscard]] const std::map<NextHop, RememberedNeighbor>& neighbors() const {
    return neighbors_;
  }

 private:
  std::map<NextHop, RememberedNeighbor> neighbors_;
  std::set<NextHop> orphans_;  // remembered, but without an entry in the kernel
  std::set<NextHop> kept_;
};

}  // namespace ballast::netlink
