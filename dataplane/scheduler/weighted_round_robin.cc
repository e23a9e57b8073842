#include "dataplane/scheduler/weighted_round_robin.h"

#include <algorithm>
#include <cassert>
#include <numeric>
#include <queue>

#include "dataplane/scheduler/server_order.h"
#include "dataplane/scheduler/turn.h"

namespace ballast {
namespace {

// Rounds the weights to `slots` turns in all by largest remainder. Servers whose share is below one
// turn get one; the others divide what is left. Needs slots >= weights.size().
std::vector<uint32_t> scale_down(std::span<const uint32_t> weights, uint64_t slots) {
  std::vector<uint32_t> lightest_first(weights.size());
  std::iota(lightest_first.begin(), lightest_first.end(), 0U);
  std::stable_sort(lightest_first.begin(), lightest_first.end(),
                   [&](uint32_t a, uint32_t b) { return weights[a] < weights[b]; });

  std::vector<uint32_t> turns(weights.size(), 1);
  uint64_t sum = std::accumulate(weights.begin(), weights.end(), uint64_t{0});
  size_t first = 0;
  while (first < weights.size() && weights[lightest_first[first]] * slots < sum) {
    sum -= weights[lightest_first[first]];
    --slots;
    ++first;
  }

  const std::span<uint32_t> rest = std::span(lightest_first).subspan(first);
  uint64_t left_over = slots;
  for (const uint32_t i : rest) {
    turns[i] = static_cast<uint32_t>(weights[i] * slots / sum);
    left_over -= turns[i];
  }
  std::stable_sort(rest.begin(), rest.end(), [&](uint32_t a, uint32_t b) {
    return weights[a] * slots % sum > weights[b] * slots % sum;
  });
  for (const uint32_t i : rest.first(left_over)) {
    ++turns[i];
  }
  return turns;
}

// How many turns each server gets in a round.
std::vector<uint32_t> turns_of(std::span<const SchedulableServer> servers) {
  std::vector<uint32_t> weights;
  weights.reserve(servers.size());
  uint32_t divisor = 0;
  uint64_t sum = 0;
  for (const SchedulableServer& server : servers) {
    assert(server.weight > 0 && server.weight <= 65535);
    weights.push_back(server.weight);
    divisor = std::gcd(divisor, server.weight);
    sum += server.weight;
  }
  if (sum / divisor > WeightedRoundRobin::kLongestRound) {
    return scale_down(weights,
                      std::max<uint64_t>(WeightedRoundRobin::kLongestRound, weights.size()));
  }
  for (uint32_t& weight : weights) {
    weight /= divisor;
  }
  return weights;
}

// A server's next turn. Times are in turns of the round, counted from 1, as the year of the
// chairman assignment problem: with x turns had, share w / round and e = 1 / (2n - 2), the server
// may be chosen from the year (x + e) * round / w on and falls behind after (x + 1 - e) * round /
// w.
struct Candidate {
  uint32_t server;
  uint32_t turns;     // in a round: w
  uint64_t released;  // first year in which it may be chosen
  uint64_t deadline;  // numerator over `turns`; the common factor round / (2n - 2) is left out
};

// Later deadlines are "less", for a heap with the earliest on top; equal ones go to the heavier
// server, whose next deadline is sooner, then by order. Products stay below 2^45.
struct LaterDeadline {
  bool operator()(const Candidate& a, const Candidate& b) const {
    const uint64_t left = a.deadline * b.turns;
    const uint64_t right = b.deadline * a.turns;
    if (left != right) {
      return left > right;
    }
    return a.turns != b.turns ? a.turns < b.turns : a.server > b.server;
  }
};

struct LaterRelease {
  bool operator()(const Candidate& a, const Candidate& b) const { return a.released > b.released; }
};

Candidate candidate_after(uint32_t had, uint32_t server, uint32_t turns, uint64_t round,
                          uint64_t servers) {
  const uint64_t scale = 2 * servers - 2;  // 1 / e
  const uint64_t release = (had * scale + 1) * round;
  return {server, turns, (release + turns * scale - 1) / (turns * scale), had * scale + scale - 1};
}

// For each turn of a round, the subscript of its server. Needs at least two servers.
std::vector<uint32_t> interleave(std::span<const uint32_t> turns) {
  const uint64_t round = std::accumulate(turns.begin(), turns.end(), uint64_t{0});
  std::priority_queue<Candidate, std::vector<Candidate>, LaterRelease> waiting;
  std::priority_queue<Candidate, std::vector<Candidate>, LaterDeadline> ready;
  for (uint32_t i = 0; i < turns.size(); ++i) {
    waiting.push(candidate_after(0, i, turns[i], round, turns.size()));
  }

  std::vector<uint32_t> had(turns.size(), 0);
  std::vector<uint32_t> order;
  order.reserve(round);
  for (uint64_t year = 1; year <= round; ++year) {
    while (!waiting.empty() && waiting.top().released <= year) {
      ready.push(waiting.top());
      waiting.pop();
    }
    assert(!ready.empty());  // Tijdeman's theorem
    const uint32_t chosen = ready.top().server;
    ready.pop();
    order.push_back(chosen);
    ++had[chosen];
    waiting.push(candidate_after(had[chosen], chosen, turns[chosen], round, turns.size()));
  }
  return order;
}

}  // namespace

void WeightedRoundRobin::set_servers(std::span<const SchedulableServer> servers) {
  round_.clear();
  if (servers.empty()) {
    return;
  }
  if (servers.size() == 1) {
    round_.push_back(servers.front().server);
    return;
  }
  const std::vector<SchedulableServer> ordered = in_canonical_order(servers);
  const std::vector<uint32_t> order = interleave(turns_of(ordered));
  round_.reserve(order.size());
  for (const uint32_t i : order) {
    round_.push_back(ordered[i].server);
  }
}

ServerIndex WeightedRoundRobin::pick(const PickRequest& request) const {
  if (round_.empty()) {
    return kNoServer;
  }
  return round_[take_turn(request.cursor, static_cast<uint32_t>(round_.size()))];
}

}  // namespace ballast
