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
//   What a packet to a server needs on its way (tunnel header, outer source, largest MSS) follows
//   from the server's PathSpecification, its next hop and the port of that: it is made anew when
//   one of them changes (server_paths.cc). A removed server keeps its specification, and follows
//   routes and ports as before.
//
//   A neighbour changes in place, in NeighborTable, for all snapshots at once. One that would lead
//   back to this node (its address is a VIP or the node's own, its MAC is one of ours) is held as
//   failed, whatever the kernel says.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "dataplane/neighbor/neighbor_table.h"
#include "dataplane/service/forwarding_snapshot.h"
#include "dataplane/world/change_set.h"
#include "dataplane/world/check_references.h"
#include "dataplane/world/client_hop_set.h"
#include "dataplane/world/desired_state.h"
#include "dataplane/world/local_address_indexes.h"
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
    ClientHopSet::GatewayChanges gateways;
    bool listeners_changed = false;
    bool modes_changed = false;
  };

  // `routes` is the table with the changes made. Refuses what there are no indexes left for.
  [[nodiscard]] Plan plan(const DesiredState& before, const ChangeSet& changes,
                          const RouteTable& routes, RefusalList& refusals) const;
  // `after` has the changes made.
  void apply(const DesiredState& after, const ChangeSet& changes, const Plan& plan);

  // What the device says of a port; whether that is news.
  bool set_port(const DesiredState& state, PortIndex port, const PortState& value);

  // A next hop to a client on a port's own network, on demand (client_hop_set.h); whether it is
  // new.
  bool need_client_hop(const DesiredState& state, const NeighborTable::Key& key,
                       ClientHopSet::Time now);
  bool expire_client_hops(ClientHopSet::Time now) { return client_hops_.expire(now); }

  // `previous` is the snapshot before, null for the first.
  [[nodiscard]] std::shared_ptr<const ForwardingSnapshot> build(const DesiredState& state,
                                                                const ForwardingSnapshot* previous);

  // Frees removed servers that are `unused`, retired services without servers, and neighbours
  // without references.
  size_t reclaim(const std::function<bool(ServerIndex)>& unused);
  // Whether what was reclaimed changes where workers look for connections.
  [[nodiscard]] bool has_reclaimed_owners() const { return steering_changed_; }

  [[nodiscard]] const ServerRegistry& registry() const { return registry_; }
  [[nodiscard]] const ServiceSlots& slots() const { return slots_; }

 private:
  void check_indexes(const ChangeSet& changes, RefusalList& refusals) const;
  void check_neighbor_indexes(const ChangeSet& changes, const Plan& plan,
                              RefusalList& refusals) const;
  void check_local_address_indexes(const ChangeSet& changes, RefusalList& refusals) const;
  void apply_service(const ServiceSpecification& service);
  void remove_service(const std::string& name);
  ServerIndex apply_server(ServiceSlot slot, ForwardingMode mode,
                           const ServerSpecification& wanted);
  void attach_servers(ServiceSlot slot);
  void apply_next_hops(const NextHops& next_hops);
  void set_next_hop(ServerIndex server, const std::optional<NeighborTable::Key>& key);

  void set_paths(const std::set<ServerIndex>& servers, const ServiceSpecification& service);
  void refresh_path(ServerIndex server);
  void refresh_mss(RealServer& real, const PathSpecification& path) const;
  void refresh_tunnel(ServerIndex server, const PathSpecification& path);
  [[nodiscard]] std::optional<Prefix> tunnel_source(const RealServer& real,
                                                    const TunnelSpecification& tunnel) const;
  void refresh_paths_over(PortIndex port);
  std::vector<PortIndex> refresh_port_addresses(const DesiredState& after,
                                                const ChangeSet& changes);

  void apply_neighbors(const DesiredState& after, const ChangeSet& changes);
  void refresh_neighbors(const DesiredState& state);
  void refresh_neighbor(const DesiredState& state, NeighborIndex neighbor);
  void refresh_addresses(const DesiredState& state);
  void refresh_listeners(const DesiredState& state);
  void refresh_steering(const DesiredState& state);
  void refresh_own_macs(const DesiredState& state);
  void refresh_reply_sources();
  void mark_services(std::map<IpAddress, LocalAddress*>& vips) const;

  WorldLimits limits_;
  std::vector<PortState> ports_;  // as the devices say, with the addresses that the kernel says
  ServerRegistry registry_;
  ServiceSlots slots_;
  LocalAddressIndexes local_addresses_;
  NeighborReferences neighbors_;
  ClientHopSet client_hops_{neighbors_};
  std::vector<RealServer> servers_ = std::vector<RealServer>(1);  // by ServerIndex
  // By ServerIndex; null where nothing is asked for.
  std::vector<std::shared_ptr<const PathSpecification>> paths_;
  std::vector<std::shared_ptr<const ServerTunnel>> tunnels_;  // by ServerIndex, as far as needed
  std::shared_ptr<const AddressTable> addresses_ = std::make_shared<const AddressTable>();
  std::shared_ptr<const ServiceTable> listeners_ = std::make_shared<const ServiceTable>();
  std::shared_ptr<const ServiceTable> steered_by_client_ = std::make_shared<const ServiceTable>();
  std::shared_ptr<const ServiceTable> steered_anew_ = std::make_shared<const ServiceTable>();
  bool steering_changed_ = false;  // since these two were made
  std::shared_ptr<const ReplySources> reply_sources_ = std::make_shared<const ReplySources>();
  bool reply_sources_changed_ = false;  // since reply_sources_ was made
  std::vector<MacAddress> own_macs_;    // sorted
  size_t lease_slots_ = 1;
};

}  // namespace ballast
