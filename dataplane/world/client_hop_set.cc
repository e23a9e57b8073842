#include "dataplane/world/client_hop_set.h"

#include <cassert>
#include <vector>

namespace ballast {

void ClientHopSet::change_gateways(const GatewayChanges& changes) {
  for (const auto& [key, difference] : changes) {
    Gateway& gateway = gateways_[key];
    gateway.routes += difference;
    assert(gateway.routes >= 0);
    if (gateway.neighbor == kNoNeighbor && gateway.routes > 0) {
      gateway.neighbor = neighbors_.acquire(key);
      changed_ = true;
    }
    if (gateway.routes == 0) {
      changed_ |= gateway.neighbor != kNoNeighbor;
      neighbors_.drop(gateway.neighbor);
      gateways_.erase(key);
    }
  }
}

NeighborIndex ClientHopSet::need(const Key& key, Time now) {
  if (const auto present = clients_.find(key); present != clients_.end()) {
    by_time_.erase({present->second.asked, key});
    by_time_.emplace(now, key);
    present->second.asked = now;
    return kNoNeighbor;
  }
  const NeighborTable& table = neighbors_.table();
  const bool known = table.find(key.first, key.second) != kNoNeighbor;
  const bool has_room = table.size() < table.capacity() - table.capacity() / 4;
  if (gateways_.contains(key) || (!known && !has_room)) {
    return kNoNeighbor;
  }
  if (clients_.size() == kMostClients) {
    forget_oldest();
  }
  const NeighborIndex neighbor = neighbors_.acquire(key);
  if (neighbor != kNoNeighbor) {
    clients_.emplace(key, Client{now, neighbor});
    by_time_.emplace(now, key);
    changed_ = true;
  }
  return neighbor;
}

bool ClientHopSet::expire(Time now) {
  bool any = false;
  while (!by_time_.empty() && now - by_time_.begin()->first >= kPatience) {
    forget_oldest();
    any = true;
  }
  return any;
}

void ClientHopSet::forget_oldest() {
  const auto oldest = clients_.find(by_time_.begin()->second);
  neighbors_.drop(oldest->second.neighbor);
  clients_.erase(oldest);
  by_time_.erase(by_time_.begin());
  changed_ = true;
}

std::shared_ptr<const ClientHops> ClientHopSet::table() {
  if (changed_) {
    std::vector<ClientHops::Hop> hops;
    hops.reserve(gateways_.size() + clients_.size());
    for (const auto& [key, gateway] : gateways_) {
      hops.push_back({key.first, key.second, gateway.neighbor, true});
    }
    for (const auto& [key, client] : clients_) {
      if (!gateways_.contains(key)) {
        hops.push_back({key.first, key.second, client.neighbor});
      }
    }
    table_ = std::make_shared<const ClientHops>(hops);
    changed_ = false;
  }
  return table_;
}

}  // namespace ballast
