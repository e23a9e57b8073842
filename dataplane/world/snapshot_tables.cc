// The parts of SnapshotBuilder that derive whole tables from the desired state, and the root
// itself.
#include <algorithm>
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

}  // namespace

void SnapshotBuilder::refresh_addresses(const DesiredState& state) {
  std::vector<LocalAddress> local;
  local.reserve(state.vips().size());
  lease_slots_ = 1;
  for (const auto& [address, vip] : state.vips()) {
    LocalAddress& one = local.emplace_back();
    one.address = address;
    one.role = AddressRole::kVip;
    one.lease = vip.lease;
    one.answer_ping = !vip.ignore_ping;
    one.virtual_mac = vip.virtual_mac;
    lease_slots_ = std::max<size_t>(lease_slots_, size_t{index(vip.lease)} + 1);
  }
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
  addresses_ = std::make_shared<const AddressTable>(local);
}

void SnapshotBuilder::refresh_listeners(const DesiredState& state) {
  std::vector<ServiceTable::Entry> entries;
  entries.reserve(state.listeners().size());
  for (const auto& [listener, name] : state.listeners()) {
    entries.push_back({listener, static_cast<uint32_t>(*slots_.find(name))});
  }
  listeners_ = std::make_shared<const ServiceTable>(entries);
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
  present = value;
  if (mac_changed) {
    refresh_own_macs(state);
    refresh_neighbors(state);
  }
  return news;
}

std::shared_ptr<const ForwardingSnapshot> SnapshotBuilder::build(const DesiredState& state) const {
  auto snapshot = std::make_shared<ForwardingSnapshot>();
  snapshot->generation = state.generation();
  snapshot->addresses = addresses_;
  snapshot->listeners = listeners_;
  snapshot->services = slots_.objects();
  snapshot->servers = servers_;
  snapshot->routes = state.routes();
  for (size_t number = 0; number < ports_.size(); ++number) {
    snapshot->ports.push_back(in_force(state, static_cast<PortIndex>(number), ports_[number]));
  }
  snapshot->lease_slots = lease_slots_;
  snapshot->on_no_service =
      state.settings() ? state.settings()->on_no_service : SettingsSpecification{}.on_no_service;
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
    servers_[index(server)] = {};
    registry_.free(server);
  }
  const std::set<ServiceSlot> retired = slots_.retired();
  for (const ServiceSlot slot : retired) {
    if (!registry_.has_servers(slot)) {
      slots_.free(slot);
    }
  }
  return freed.size();
}

}  // namespace ballast
