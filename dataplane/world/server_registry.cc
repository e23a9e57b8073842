#include "dataplane/world/server_registry.h"

#include <cassert>

namespace ballast {

ServerRegistry::Added ServerRegistry::add(ServiceSlot service, const IpAddress& address, Big16 port,
                                          ForwardingMode mode) {
  const auto [place, is_new] = by_identity_.try_emplace({service, address, port, mode}, kNoServer);
  if (!is_new) {
    removed_.erase(place->second);
    entries_[index(place->second)].state = State::kLive;
    return {place->second, false};
  }
  if (free_.empty()) {
    place->second = ServerIndex{end()};
    entries_.emplace_back();
  } else {
    place->second = free_.back();
    free_.pop_back();
  }
  entries_[index(place->second)] = {service, address, port, mode, State::kLive};
  by_address_.emplace(address, place->second);
  return {place->second, true};
}

void ServerRegistry::remove(ServerIndex server) {
  Entry& entry = entries_[index(server)];
  assert(entry.state == State::kLive);
  entry.state = State::kRemoved;
  removed_.insert(server);
}

void ServerRegistry::free(ServerIndex server) {
  Entry& entry = entries_[index(server)];
  assert(entry.state == State::kRemoved);
  removed_.erase(server);
  by_identity_.erase({entry.service, entry.address, entry.port, entry.mode});
  by_address_.erase({entry.address, server});
  entry = {};
  free_.push_back(server);
}

ServerIndex ServerRegistry::find(ServiceSlot service, const IpAddress& address, Big16 port,
                                 ForwardingMode mode) const {
  const auto found = by_identity_.find({service, address, port, mode});
  return found == by_identity_.end() ? kNoServer : found->second;
}

void ServerRegistry::visit_service(ServiceSlot service,
                                   const std::function<void(ServerIndex)>& visitor) const {
  auto place = by_identity_.lower_bound({service, IpAddress{}, Big16{}, ForwardingMode{}});
  for (; place != by_identity_.end() && std::get<ServiceSlot>(place->first) == service; ++place) {
    visitor(place->second);
  }
}

bool ServerRegistry::has_servers(ServiceSlot service) const {
  const auto place = by_identity_.lower_bound({service, IpAddress{}, Big16{}, ForwardingMode{}});
  return place != by_identity_.end() && std::get<ServiceSlot>(place->first) == service;
}

ServerIndex ServerRegistry::find_address(const IpAddress& address) const {
  const auto place = by_address_.lower_bound({address, kNoServer});
  return place == by_address_.end() || place->first != address ? kNoServer : place->second;
}

void ServerRegistry::visit_address(const IpAddress& address,
                                   const std::function<void(ServerIndex)>& visitor) const {
  auto place = by_address_.lower_bound({address, kNoServer});
  for (; place != by_address_.end() && place->first == address; ++place) {
    visitor(place->second);
  }
}

void ServerRegistry::visit_addresses(const Prefix& prefix,
                                     const std::function<void(const IpAddress&)>& visitor) const {
  // A block begins with its own address and is contiguous, but for IPv4 addresses, which lie inside
  // ::/0 in this order and in none of its blocks.
  auto place = by_address_.lower_bound({prefix.address, kNoServer});
  for (; place != by_address_.end(); ++place) {
    if (prefix.contains(place->first)) {
      visitor(place->first);
    } else if (prefix.address.is_v4() || place->first.is_v6()) {
      return;
    }
  }
}

}  // namespace ballast
