// The desired state as workers forward by it: makes the changes of one transaction and builds the
// snapshot.
//
// Theory of operation
//   plan() looks ahead without changing anything: the next hop of every server address that the
//   change touches, and whether indexes are left for all that is new. apply() then cannot fail. It
//   touches what the changes name: pools of the services in it, servers whose address lies in a
//   changed route, address and listener tables when their content changed. build() copies the root;
//   what did not change is shared with the snapshot before.
//
//   A neighbour changes in place, in NeighborTable, for all snapshots at once. One that would lead
//   back to this node (its address is a VIP or the node's own, its MAC is one of ours) is held as
//   failed, whatever the kernel says.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/neighbor/neighbor_table.h"
#include "dataplane/service/forwarding_snapshot.h"
#include "dataplane/world/change_set.h"
#include "dataplane/world/check_references.h"
#include "dataplane/world/desired_state.h"
#include "dataplane/world/neighbor_references.h"
#include "dataplane/world/refusal_list.h"
#include "dataplane/world/server_registry.h"
#include "dataplane/world/service_slots.h"

namespace ballast {

class SnapshotBuilder {
 public:
  SnapshotBuilder(std::vector<PortState> ports, NeighborTable& neighbors,
                  const WorldLimits& limits);

  // By address of a server; nothing: no route.
  using NextHops = std::map<IpAddress, std::optional<NeighborTable::Key>>;
  struct Plan {
    NextHops next_hops;
    bool listeners_changed = false;
  };

  // `routes` is the table with the changes made. Refuses what there are no indexes left for.
  [[nodiscard]] Plan plan(const DesiredState& before, const ChangeSet& changes,
                          const RouteTable& routes, RefusalList& refusals) const;
  // `after` has the changes made.
  void apply(const DesiredState& after, const ChangeSet& changes, const Plan& plan);

  // What the device says of a port; whether that is news.
  bool set_port(const DesiredState& state, PortIndex port, const PortState& value);

  [[nodiscard]] std::shared_ptr<const ForwardingSnapshot> build(const DesiredState& state) const;

  // Frees removed servers that are `unused`, retired services without servers, and neighbours
  // without references.
  size_t reclaim(const std::function<bool(ServerIndex)>& unused);

  [[nodiscard]] const ServerRegistry& registry() const { return registry_; }
  [[nodiscard]] const ServiceSlots& slots() const { return slots_; }

 private:
  void check_indexes(const ChangeSet& changes, const NextHops& next_hops,
                     RefusalList& refusals) const;
  void apply_service(const ServiceSpecification& service);
  void remove_service(const std::string& name);
  void attach_servers(ServiceSlot slot);
  void apply_next_hops(const NextHops& next_hops);
  void set_next_hop(RealServer& server, const std::optional<NeighborTable::Key>& key);
  void apply_neighbors(const DesiredState& after, const ChangeSet& changes);
  void refresh_neighbors(const DesiredState& state);
  void refresh_neighbor(const DesiredState& state, NeighborIndex neighbor);
  void refresh_addresses(const DesiredState& state);
  void refresh_listeners(const DesiredState& state);
  void refresh_own_macs(const DesiredState& state);

  WorldLimits limits_;
  std::vector<PortState> ports_;  // as the devices say
  ServerRegistry registry_;
  ServiceSlots slots_;
  NeighborReferences neighbors_;
  std::vector<RealServer> servers_ = std::vector<RealServer>(1);  // by ServerIndex
  std::shared_ptr<const AddressTable> addresses_ = std::make_shared<const AddressTable>();
  std::shared_ptr<const ServiceTable> listeners_ = std::make_shared<const ServiceTable>();
  std::vector<MacAddress> own_macs_;  // sorted
  size_t lease_slots_ = 1;
};

}  // namespace ballast
