// When to have the kernel ask for a neighbour. Pure: time is an argument.
//
// Two callers have a need. The dataplane asks for a next hop that it has packets for; it repeats
// itself while there is no answer, so one ask per neighbour and second goes through (the kernel
// itself sends a request per second, three in all). And the servers' next hops are kept fresh: the
// kernel notices that a neighbour is gone, or has a new MAC, only when it sends to it, and the
// dataplane's traffic does not pass through the kernel.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "control/netlink/neighbor_memory.h"

namespace ballast::netlink {

using SteadyTime = std::chrono::steady_clock::time_point;

class AskLimit {
 public:
  static constexpr auto kInterval = std::chrono::seconds(1);
  // Neighbours asked for within one interval. The kernel's own table holds 1024 unless it was
  // raised (gc_thresh3).
  static constexpr size_t kCapacity = 4096;

  // True, and noted, if this neighbour may be asked for now.
  bool admit(const NextHop& neighbor, SteadyTime now);

 private:
  std::map<NextHop, SteadyTime> asked_;
  SteadyTime swept_;
};

struct FreshnessIntervals {
  std::chrono::nanoseconds known = std::chrono::seconds(10);
  std::chrono::nanoseconds unanswered = std::chrono::seconds(1);
};

class FreshnessSchedule {
 public:
  explicit FreshnessSchedule(const FreshnessIntervals& intervals = {}) : intervals_(intervals) {}

  // Those that are new get their first turn within the next interval, spread over it if they are
  // many; at once if few.
  void keep(const std::set<NextHop>& neighbors, SteadyTime now);

  // Those whose turn it is. Each must be given back with look_again().
  std::vector<NextHop> take_due(SteadyTime now);
  // `known`: the kernel has a MAC for it.
  void look_again(const NextHop& neighbor, bool known, SteadyTime now);

  [[nodiscard]] std::optional<SteadyTime> next() const;

 private:
  FreshnessIntervals intervals_;
  std::map<NextHop, SteadyTime> turns_;
  std::set<std::pair<SteadyTime, NextHop>> queue_;
};

// Whether the kernel has to be told to confirm or look for a neighbour; null: it has no entry. Not
// while it is at it, and not when it has an answer that is fresh.
bool needs_asking(const KernelNeighbor* seen);

}  // namespace ballast::netlink
