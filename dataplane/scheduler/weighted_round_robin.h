// Weighted round robin ("wrr"), smooth: a server of weight 5 beside two of weight 1 gets five turns
// of every seven, and they are interleaved with the others' as evenly as can be.
//
// A round is sum(weights) / gcd(weights) turns, computed once when the servers are set, so that a
// pick is one array read. The order within a round solves the chairman assignment problem (R.
// Tijdeman, Discrete Mathematics 32, 1980): n states of given shares elect one chairman a year, and
// after any number of years no state may be further than 1 - 1/(2n-2) from its exact share. Each
// turn goes, among the servers that are not ahead of their share already, to the one that would
// soonest fall behind: earliest deadline first with release times, which a heap does in O(round *
// log n). Hence, over any k picks in a row, a server of share p gets between floor(kp)-1 and
// ceil(kp)+1.
// The greedy algorithm of nginx is about as smooth (gaps between two turns of a server differ from
// the ideal by about a sixth less in the mean square, about as much at worst), but costs O(n) a
// turn.
//
// A round longer than kLongestRound would be memory for no visible difference: shares are then
// rounded to 1/kLongestRound by largest remainder, and every server keeps at least one turn.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/scheduler/scheduler.h"

namespace ballast {

class WeightedRoundRobin final : public Scheduler {
 public:
  // In turns; exceeded only when there are more servers than that (one turn each).
  static constexpr uint32_t kLongestRound = 16384;

  void set_servers(std::span<const SchedulableServer> servers) override;
  ServerIndex pick(const PickRequest& request) const override;

 private:
  std::vector<ServerIndex> round_;
};

}  // namespace ballast
