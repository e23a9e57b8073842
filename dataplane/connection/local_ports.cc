#include "dataplane/connection/local_ports.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace ballast {
namespace {

constexpr uint32_t kAddresses = uint32_t{UINT16_MAX} + 1;

// One set may come for each kHoard nodes that it sets free.
uint32_t sets_for(uint32_t tuples) {
  return std::min(tuples / LocalPorts::kHoard, uint32_t{UINT16_MAX});
}

}  // namespace

LocalPorts::LocalPorts(const LocalPortSettings& settings, const FlowHashKey& hash_key,
                       uint64_t seed, IsOwned is_owned, TableMemory& memory)
    : settings_(settings),
      hash_key_(hash_key),
      is_owned_(std::move(is_owned)),
      bucket_count_(BucketIndex::buckets_for(settings.lanes)),
      set_count_(sets_for(settings.tuples)),
      buckets_(take_block<Bucket>(memory, bucket_count_, memory_bytes_)),
      lane_block_(take_block<Lane>(memory, size_t{settings.lanes} + 1, memory_bytes_)),
      nodes_(take_block<Node>(memory, size_t{settings.tuples} + 1, memory_bytes_)),
      sets_(take_block<PortSet>(memory, size_t{set_count_} + 1, memory_bytes_)),
      free_sets_(take_block<uint16_t>(memory, size_t{set_count_} + 1, memory_bytes_)),
      lanes_of_address_(take_block<uint32_t>(memory, kAddresses, memory_bytes_)),
      index_(buckets_.get(), bucket_count_),
      random_(seed) {
  assert(settings.first_port >= 1 && settings.first_port <= settings.last_port);
  assert(settings.tuples <= UINT32_MAX / 2 && settings.lanes <= UINT32_MAX / 2);
}

tl::expected<LocalEndpoint, NoLocalPort> LocalPorts::take(
    std::span<const LocalAddressIndex> addresses, const ServerEndpoint& server, Seconds32 now) {
  const auto count = static_cast<uint32_t>(addresses.size());
  if (count == 0 || (exhausted_at_ == now && is_known_exhausted(addresses, server, now))) {
    ++counts_.exhausted;
    return tl::unexpected(NoLocalPort::kExhausted);
  }
  lacked_memory_ = false;
  const uint32_t begin = random_below(count);
  for (uint32_t i = 0; i < count; ++i) {
    const LocalAddressIndex address = addresses[begin + i < count ? begin + i : begin + i - count];
    ++counts_.lanes_asked;
    const LaneNumber number = lane_of(address, server);
    if (number == 0) {
      lacked_memory_ = true;
      continue;
    }
    if (const uint16_t port = take_from(lane_block_[number], now); port != 0) {
      ++counts_.taken;
      return LocalEndpoint{address, Big16::from_host(port), LocalPortLane{number}};
    }
  }
  if (lacked_memory_) {
    ++counts_.no_memory;
    return tl::unexpected(NoLocalPort::kNoMemory);
  }
  note_exhausted(addresses, server, now);
  ++counts_.exhausted;
  return tl::unexpected(NoLocalPort::kExhausted);
}

void LocalPorts::give_back(const LocalEndpoint& local, PortRest rest, Seconds32 now) {
  Lane& lane = lane_block_[static_cast<LaneNumber>(local.lane)];
  assert(lane.in_use && lane.taken != 0 && lane.address == local.address);
  NodeNumber number = free_node_;
  if (number != 0) {
    free_node_ = nodes_[number].next;
  } else {
    assert(node_high_water_ < settings_.tuples);
    number = ++node_high_water_;
  }
  nodes_[number] = {.next = 0, .since = now, .port = local.port.to_host(), .unused = 0};
  Queue& queue = lane.queues[static_cast<size_t>(rest)];
  (queue.first == 0 ? queue.first : nodes_[queue.last].next) = number;
  queue.last = number;
  --lane.taken;
  ++lane.resting;
  --taken_;
  ++resting_;
}

// ---- ports of a lane

uint16_t LocalPorts::take_from(Lane& lane, Seconds32 now) {
  const bool is_roomy = free_nodes() > settings_.tuples / 2;
  uint16_t port = is_roomy ? take_unordered(lane) : uint16_t{0};
  if (port == 0) {
    if (Queue* rested = longest_rested(lane, now); rested != nullptr) {
      port = pop(lane, *rested);
    } else if (!is_roomy) {
      port = take_unordered(lane);
    }
  }
  if (port != 0) {
    ++lane.taken;
    ++taken_;
  }
  return port;
}

// One that the lane has not had before, as far as it remembers.
uint16_t LocalPorts::take_unordered(Lane& lane) {
  PortSet* set = lane.set != 0 ? &sets_[lane.set] : nullptr;
  const bool set_has_some = set != nullptr && set->size() != 0;
  if (free_nodes() == 0) {
    lacked_memory_ |= lane.fresh_left != 0 || set_has_some;
    return 0;
  }
  if (const uint16_t port = walk(lane); port != 0) {
    return port;
  }
  return set_has_some ? set->take_any() : uint16_t{0};
}

uint16_t LocalPorts::walk(Lane& lane) {
  for (uint32_t walked = 0; walked < kMaxWalk && lane.fresh_left != 0; ++walked) {
    const uint16_t port = lane.fresh_next;
    lane.fresh_next =
        port == settings_.last_port ? settings_.first_port : static_cast<uint16_t>(port + 1);
    --lane.fresh_left;
    ++counts_.ports_walked;
    if (is_owned_(lane.address, Big16::from_host(port), lane.server)) {
      return port;
    }
  }
  return 0;
}

bool LocalPorts::has_rested(NodeNumber node, PortRest rest, Seconds32 now) const {
  const uint32_t wanted = rest == PortRest::kTimeWait ? settings_.time_wait : settings_.short_rest;
  // More, not as much: `since` may be up to a second too early.
  return now - nodes_[node].since > wanted;
}

// The queue whose first port has rested, and was given back before the other's; null when neither
// has.
LocalPorts::Queue* LocalPorts::longest_rested(Lane& lane, Seconds32 now) {
  Queue* best = nullptr;
  for (const PortRest rest : {PortRest::kTimeWait, PortRest::kShort}) {
    Queue& queue = lane.queues[static_cast<size_t>(rest)];
    if (queue.first != 0 && has_rested(queue.first, rest, now) &&
        (best == nullptr || nodes_[queue.first].since < nodes_[best->first].since)) {
      best = &queue;
    }
  }
  return best;
}

uint16_t LocalPorts::pop(Lane& lane, Queue& queue) {
  const NodeNumber number = queue.first;
  Node& node = nodes_[number];
  queue.first = node.next;
  if (queue.first == 0) {
    queue.last = 0;
  }
  __builtin_prefetch(&nodes_[queue.first]);  // the next one's turn
  node.next = free_node_;
  free_node_ = number;
  --lane.resting;
  --resting_;
  return node.port;
}

// ---- what is exhausted in this second

// Nothing becomes free within a second: rest is counted in whole ones. So a search that was in vain
// need not be repeated before the next.
uint64_t LocalPorts::request_of(std::span<const LocalAddressIndex> addresses,
                                const ServerEndpoint& server) const {
  uint64_t request = addresses.size();
  for (const LocalAddressIndex address : addresses) {
    request = (request ^ hash_of(address, server)) * 0x9e3779b97f4a7c15U;
  }
  return request;
}

bool LocalPorts::is_known_exhausted(std::span<const LocalAddressIndex> addresses,
                                    const ServerEndpoint& server, Seconds32 now) const {
  const uint64_t request = request_of(addresses, server);
  const Exhausted& known = exhausted_[(request >> 32) % exhausted_.size()];
  return known.at == now && known.request == request;
}

void LocalPorts::note_exhausted(std::span<const LocalAddressIndex> addresses,
                                const ServerEndpoint& server, Seconds32 now) {
  const uint64_t request = request_of(addresses, server);
  exhausted_[(request >> 32) % exhausted_.size()] = {request, now};
  exhausted_at_ = now;
}

// splitmix64: where to begin needs no more.
uint32_t LocalPorts::random_below(uint32_t bound) {
  random_ += 0x9e3779b97f4a7c15U;
  uint64_t z = random_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return static_cast<uint32_t>(((z >> 32) * bound) >> 32);
}

}  // namespace ballast
