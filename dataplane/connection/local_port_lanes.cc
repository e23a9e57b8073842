// The lanes of LocalPorts: found, opened, made smaller, forgotten.
#include <algorithm>
#include <cassert>

#include "dataplane/connection/local_ports.h"

namespace ballast {

// A lane has the shape of a flow but for the second address.
uint64_t LocalPorts::hash_of(LocalAddressIndex address, const ServerEndpoint& server) const {
  FlowKey key;
  key.client = server.address;
  key.client_port = server.port;
  key.vip_port = Big16::from_host(static_cast<uint16_t>(address));
  key.protocol = server.protocol;
  return flow_hash(key, hash_key_);
}

LocalPorts::LaneNumber LocalPorts::lane_of(LocalAddressIndex address,
                                           const ServerEndpoint& server) {
  const uint64_t hash = hash_of(address, server);
  const LaneNumber known = index_.find(hash, [&](LaneNumber number) {
    const Lane& lane = lane_block_[number];
    return lane.address == address && lane.server == server;
  });
  return known != 0 ? known : open_lane(hash, address, server);
}

LocalPorts::LaneNumber LocalPorts::open_lane(uint64_t hash, LocalAddressIndex address,
                                             const ServerEndpoint& server) {
  if (free_lane_ == 0 && lane_high_water_ >= settings_.lanes) {
    return 0;
  }
  const LaneNumber number = free_lane_ != 0 ? free_lane_ : lane_high_water_ + 1;
  if (!index_.insert(hash, number)) {
    return 0;
  }
  Lane& lane = lane_block_[number];
  if (free_lane_ != 0) {
    free_lane_ = lane.next_free;
  } else {
    lane_high_water_ = number;
  }
  const uint32_t ports = uint32_t{settings_.last_port} - settings_.first_port + 1;
  lane = Lane{};
  lane.server = server;
  lane.in_use = true;
  lane.address = address;
  lane.fresh_next = static_cast<uint16_t>(settings_.first_port + random_below(ports));
  lane.fresh_left = ports;
  ++lanes_of_address_[static_cast<uint16_t>(address)];
  ++lanes_in_use_;
  return number;
}

// Nothing is taken, and all that rests has rested: what is remembered of it is only an order.
bool LocalPorts::is_idle(const Lane& lane, Seconds32 now) const {
  const auto rests = [&](PortRest rest) {
    const NodeNumber last = lane.queues[static_cast<size_t>(rest)].last;
    return last != 0 && !has_rested(last, rest, now);
  };
  return lane.taken == 0 && !rests(PortRest::kTimeWait) && !rests(PortRest::kShort);
}

void LocalPorts::forget_lane(LaneNumber number) {
  Lane& lane = lane_block_[number];
  for (const Queue& queue : lane.queues) {
    if (queue.first != 0) {
      nodes_[queue.last].next = free_node_;
      free_node_ = queue.first;
    }
  }
  if (lane.set != 0) {
    sets_[lane.set] = PortSet{};
    free_sets_[free_set_count_++] = lane.set;
  }
  resting_ -= lane.resting;
  --lanes_of_address_[static_cast<uint16_t>(lane.address)];
  --lanes_in_use_;
  const bool erased = index_.erase(hash_of(lane.address, lane.server), number);
  assert(erased);
  (void)erased;
  lane.in_use = false;
  lane.next_free = free_lane_;
  free_lane_ = number;
}

void LocalPorts::tidy(Seconds32 now, uint32_t budget) {
  for (uint32_t i = 0; i < std::min(budget, lane_high_water_); ++i) {
    const LaneNumber number = tidy_next_;
    tidy_next_ = number < lane_high_water_ ? number + 1 : 1;
    Lane& lane = lane_block_[number];
    if (!lane.in_use) {
      continue;
    }
    if (is_idle(lane, now)) {
      forget_lane(number);
    } else if (free_nodes() < settings_.tuples / 4) {
      shrink(lane, now);
    }
  }
}

// Ports that have rested give up their place in the order: a bounded number, and only where that
// sets more memory free than a set takes.
void LocalPorts::shrink(Lane& lane, Seconds32 now) {
  constexpr uint32_t kAtOnce = 64;
  for (uint32_t i = 0; i < kAtOnce; ++i) {
    Queue* rested = longest_rested(lane, now);
    if (rested == nullptr || (lane.set == 0 && !give_set(lane))) {
      return;
    }
    sets_[lane.set].add(pop(lane, *rested));
  }
}

bool LocalPorts::give_set(Lane& lane) {
  if (lane.resting < kHoard) {
    return false;
  }
  if (free_set_count_ != 0) {
    lane.set = free_sets_[--free_set_count_];
    return true;
  }
  if (set_high_water_ == set_count_) {
    return false;
  }
  lane.set = static_cast<uint16_t>(++set_high_water_);
  return true;
}

}  // namespace ballast
