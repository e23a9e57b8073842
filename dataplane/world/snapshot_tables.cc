// The parts of SnapshotBuilder that derive whole tables from the desired state, and the root
// itself.
#include <algorithm>
#include <map>
#include <set>

#include "dataplane/world/snapshot_builder.h"

namespace ballast {
namespace {

bool is_own_address(const DesiredState& state, const IpAddress& address) {
  return state.vips().contains(address) ||
         std::any_of(state.ports().begin(), state.ports().end(), [&address](const auto& port) {
           const std::vector<IpAddress>& addresses = port.second.addresses;
           return std::binary_search(addresses.begin(), addresses.end(), address);
         });
}

PortState in_force(const DesiredState& state, PortIndex port, PortState device) {
  const auto kernel = state.ports().find(port);
  if (kernel != state.ports().end() && kernel->second.link_known) {
    device.up = kernel->second.link_up;
  }
  return device;
}

bool same(const PortState& a, const PortState& b) {
  return a.mac == b.mac && a.mtu == b.mtu && a.up == b.up;
}

bool translates(ForwardingMode mode) {
  return mode == ForwardingMode::kNat || mode == ForwardingMode::kFullNat;
}

// Whether a client's packets may now go another way than by the snapshot before.
bool ways_differ(const ForwardingSnapshot& a, const ForwardingSnapshot& b) {
  return a.routes != b.routes || a.client_hops != b.client_hops ||
         !std::equal(a.ports.begin(), a.ports.end(), b.ports.begin(), b.ports.end(), same);
}

// Without those that lie inside another. In order of address, shorter first, those inside one
// follow it, but for IPv4 networks, which lie amid those of IPv6.
std::vector<Prefix> outermost(const std::vector<Prefix>& sorted) {
  std::vector<Prefix> result;
  std::optional<Prefix> last_ipv4;
  std::optional<Prefix> last_ipv6;
  for (const Prefix& network : sorted) {
    std::optional<Prefix>& last = network.address.is_v4() ? last_ipv4 : last_ipv6;
    if (!last || !last->contains(network.address)) {
      result.push_back(network);
      last = network;
    }
  }
  return result;
}

}  // namespace

void SnapshotBuilder::refresh_addresses(const DesiredState& state) {
  std::vector<LocalAddress> local;
  local.reserve(state.vips().size());
  std::map<IpAddress, LocalAddress*> vips;
  lease_slots_ = 1;
  for (const auto& [address, vip] : state.vips()) {
    LocalAddress& one = local.emplace_back();
    one.address = address;
    one.role = vip.role;
    one.lease = vip.lease;
    one.answer_ping = !vip.ignore_ping;
    one.virtual_mac = vip.virtual_mac;
    lease_slots_ = std::max<size_t>(lease_slots_, size_t{index(vip.lease)} + 1);
    if (vip.role == AddressRole::kVip) {
      vips.emplace_hint(vips.end(), address, &one);
    }
  }
  mark_services(vips);
  std::set<IpAddress> node;  // a link-local address may be on several ports: the first has it
  for (const auto& [port, specification] : state.ports()) {
    for (const IpAddress& address : specification.addresses) {
      if (node.insert(address).second) {
        LocalAddress& one = local.emplace_back();
        one.address = address;
        one.role = AddressRole::kNode;
        one.port = port;
      }
    }
  }
  const std::span<const LocalAddress> present = addresses_->all();
  if (!std::equal(local.begin(), local.end(), present.begin(), present.end())) {
    addresses_ = std::make_shared<const AddressTable>(local);
  }
}

// What the services on a VIP, and those that left it with connections, mean for its packets.
void SnapshotBuilder::mark_services(std::map<IpAddress, LocalAddress*>& vips) const {
  std::set<ServiceSlot> left_over;  // have removed servers in a mode that translates
  for (const ServerIndex server : registry_.removed()) {
    const ServerRegistry::Entry& entry = registry_.at(server);
    if (translates(entry.mode)) {
      left_over.insert(entry.service);
    }
  }
  for (uint32_t slot = 0; slot < slots_.objects().size(); ++slot) {
    const VirtualService& service = slots_.object(ServiceSlot{slot});
    const bool has_left_over = left_over.contains(ServiceSlot{slot});
    const bool is_used = !slots_.retired().contains(ServiceSlot{slot}) || has_left_over;
    const bool needs_translation = translates(service.mode) || has_left_over;
    if (!needs_translation) {
      continue;
    }
    for (const Listener& listener : service.listeners) {
      if (const auto vip = vips.find(listener.vip); vip != vips.end()) {
        vip->second->translates = true;
        // A removed one counts, too: its connections stay with the workers that they are with.
        vip->second->steers_by_client |= is_used && service.mode == ForwardingMode::kNat;
      }
    }
  }
}

void SnapshotBuilder::refresh_reply_sources() {
  std::vector<std::pair<IpAddress, ServerIndex>> sources;
  for (uint32_t number = 1; number < registry_.end(); ++number) {
    const ServerRegistry::Entry& entry = registry_.at(ServerIndex{number});
    if (entry.state != ServerRegistry::State::kFree && entry.mode == ForwardingMode::kNat) {
      sources.emplace_back(entry.address, ServerIndex{number});
    }
  }
  reply_sources_ = std::make_shared<const ReplySources>(sources);
  reply_sources_changed_ = false;
}

void SnapshotBuilder::refresh_listeners(const DesiredState& state) {
  std::vector<ServiceTable::Entry> entries;
  entries.reserve(state.listeners().size());
  for (const auto& [listener, name] : state.listeners()) {
    entries.push_back({listener, static_cast<uint32_t>(*slots_.find(name))});
  }
  listeners_ = std::make_shared<const ServiceTable>(entries);
}

// By the mode of the service that listens there; else of one that is gone, whose connections stay
// with the workers that they are with. Where servers are left over whose connections are owned by
// the other rule (the service has changed its mode, or another one listens there), both are looked
// for.
void SnapshotBuilder::refresh_steering(const DesiredState& state) {
  const auto is_nat = [](ForwardingMode mode) { return mode == ForwardingMode::kNat; };
  struct Rules {
    std::set<bool> left_over;  // by client
    bool by_client = false;
    uint32_t slot = 0;
  };
  std::map<ServiceSlot, std::set<bool>> left_over;
  for (const ServerIndex server : registry_.removed()) {
    const ServerRegistry::Entry& entry = registry_.at(server);
    left_over[entry.service].insert(is_nat(entry.mode));
  }
  std::map<Listener, Rules, ListenerOrder> rules;
  for (uint32_t slot = 0; slot < slots_.objects().size(); ++slot) {
    const VirtualService& service = slots_.object(ServiceSlot{slot});
    const bool is_gone = slots_.retired().contains(ServiceSlot{slot});
    for (const Listener& listener : service.listeners) {
      Rules& present = rules[listener];
      if (!is_gone) {
        present.by_client = is_nat(service.mode);
        present.slot = slot;
      } else if (!state.listeners().contains(listener)) {
        present.by_client |= is_nat(service.mode);
        present.slot = slot;
      }
      if (const auto found = left_over.find(ServiceSlot{slot}); found != left_over.end()) {
        present.left_over.insert(found->second.begin(), found->second.end());
      }
    }
  }
  std::vector<ServiceTable::Entry> by_client;
  std::vector<ServiceTable::Entry> anew;
  for (const auto& [listener, present] : rules) {
    if (present.by_client) {
      by_client.push_back({listener, present.slot});
    }
    if (present.left_over.contains(!present.by_client)) {
      anew.push_back({listener, present.slot});
    }
  }
  steered_by_client_ = std::make_shared<const ServiceTable>(by_client);
  steered_anew_ = std::make_shared<const ServiceTable>(anew);
  steering_changed_ = false;
}

void SnapshotBuilder::refresh_own_macs(const DesiredState& state) {
  std::set<MacAddress> macs;
  for (const PortState& port : ports_) {
    macs.insert(port.mac);
  }
  for (const auto& [address, vip] : state.vips()) {
    macs.insert(vip.virtual_mac);
  }
  macs.erase(MacAddress{});
  own_macs_.assign(macs.begin(), macs.end());
}

void SnapshotBuilder::refresh_neighbors(const DesiredState& state) {
  neighbors_.visit([&](NeighborIndex neighbor) { refresh_neighbor(state, neighbor); });
}

void SnapshotBuilder::refresh_neighbor(const DesiredState& state, NeighborIndex neighbor) {
  if (neighbor == kNoNeighbor) {
    return;
  }
  NeighborTable& table = neighbors_.table();
  const NeighborTable::Key key = table.key_of(neighbor);
  Neighbor value;
  if (const auto named = state.neighbors().find(key); named != state.neighbors().end()) {
    value = {named->second.mac, named->second.state};
  }
  if (is_own_address(state, key.second) ||
      std::binary_search(own_macs_.begin(), own_macs_.end(), value.mac)) {
    value = {MacAddress{}, NeighborState::kOurs};
  }
  const Neighbor present = table.get(neighbor);
  if (present.mac != value.mac || present.state != value.state) {
    table.set(neighbor, value);
  }
}

bool SnapshotBuilder::set_port(const DesiredState& state, PortIndex port, const PortState& value) {
  PortState& present = ports_[index(port)];
  const bool news = !same(in_force(state, port, present), in_force(state, port, value));
  const bool mac_changed = present.mac != value.mac;
  const bool mtu_changed = present.mtu != value.mtu;
  present = {value.mac, value.mtu, value.up, present.ipv4, present.ipv6};
  if (mac_changed) {
    refresh_own_macs(state);
    refresh_neighbors(state);
  }
  if (mtu_changed) {
    refresh_paths_over(port);
  }
  return news;
}

bool SnapshotBuilder::need_client_hop(const DesiredState& state, const NeighborTable::Key& key,
                                      ClientHopSet::Time now) {
  if (is_own_address(state, key.second)) {
    return false;
  }
  const NeighborIndex added = client_hops_.need(key, now);
  refresh_neighbor(state, added);
  return added != kNoNeighbor;
}

std::shared_ptr<const ForwardingSnapshot> SnapshotBuilder::build(
    const DesiredState& state, const ForwardingSnapshot* previous) {
  if (reply_sources_changed_) {
    refresh_reply_sources();
  }
  if (steering_changed_) {
    refresh_steering(state);
  }
  auto snapshot = std::make_shared<ForwardingSnapshot>();
  snapshot->serial = previous != nullptr ? previous->serial + 1 : 1;
  snapshot->generation = state.generation();
  snapshot->addresses = addresses_;
  snapshot->listeners = listeners_;
  snapshot->steered_by_client = steered_by_client_;
  snapshot->steered_anew = steered_anew_;
  snapshot->services = slots_.objects();
  snapshot->servers = servers_;
  snapshot->tunnels = tunnels_;
  snapshot->local_addresses = local_addresses_.addresses();
  snapshot->reply_sources = reply_sources_;
  snapshot->routes = state.routes();
  snapshot->client_hops = client_hops_.table();
  for (size_t number = 0; number < ports_.size(); ++number) {
    snapshot->ports.push_back(in_force(state, static_cast<PortIndex>(number), ports_[number]));
  }
  if (previous != nullptr) {
    snapshot->hop_generation = previous->hop_generation;
    if (ways_differ(*previous, *snapshot) && ++snapshot->hop_generation == 0) {
      snapshot->hop_generation = 1;  // 0 means "never" to a connection
    }
  }
  snapshot->lease_slots = lease_slots_;
  const SettingsSpecification settings = state.settings().value_or(SettingsSpecification{});
  snapshot->routed_networks = outermost(settings.routed_networks);
  snapshot->on_no_service = settings.on_no_service;
  return snapshot;
}

size_t SnapshotBuilder::reclaim(const std::function<bool(ServerIndex)>& unused) {
  neighbors_.reclaim();  // first: what the servers below let go of waits for the next time
  std::vector<ServerIndex> freed;
  for (const ServerIndex server : registry_.removed()) {
    if (unused(server)) {
      freed.push_back(server);
    }
  }
  for (const ServerIndex server : freed) {
    neighbors_.drop(servers_[index(server)].next_hop);
    reply_sources_changed_ |= registry_.at(server).mode == ForwardingMode::kNat;
    servers_[index(server)] = {};
    paths_[index(server)].reset();
    if (index(server) < tunnels_.size()) {
      tunnels_[index(server)].reset();
    }
    registry_.free(server);
  }
  steering_changed_ |= !freed.empty() && !steered_anew_->all().empty();
  const std::set<ServiceSlot> retired = slots_.retired();
  for (const ServiceSlot slot : retired) {
    if (!registry_.has_servers(slot)) {
      slots_.free(slot);
    }
  }
  return freed.size();
}

}  // namespace ballast
