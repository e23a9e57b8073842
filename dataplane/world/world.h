// What the contract's transactions make of this dataplane: the state that was asked for, and the
// snapshots that workers forward by. Belongs to the main thread.
//
// Theory of operation
//   apply() reads the transaction into a set of changes, checks each resource by itself, then all
//   against the state that would result, then whether the tables have room. Only if nothing is
//   refused are the changes made and a snapshot built; so a refused transaction changes nothing at
//   all. What a change does not touch is shared with the snapshot before it, by pointer.
//
//   The caller publishes the snapshot and answers when every worker runs on it. From time to time,
//   when all workers run on snapshot() and no packet waits for a next hop of an older one, it calls
//   reclaim(), which gives back the indexes of what is gone.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "dataplane/api/dataplane.pb.h"
#include "dataplane/neighbor/neighbor_table.h"
#include "dataplane/packet/address.h"
#include "dataplane/service/forwarding_snapshot.h"
#include "dataplane/world/check_references.h"
#include "dataplane/world/desired_state.h"
#include "dataplane/world/snapshot_builder.h"
#include "dataplane/world/validate.h"

namespace ballast {

// A port of the device, known from the dataplane's start on; its place in the list is its
// PortIndex.
struct WorldPort {
  std::string name;
  MacAddress mac;
  uint16_t mtu = 1500;
  bool up = false;
};

// A server index in words.
struct ServerDescription {
  std::string service;
  IpAddress address;
  Big16 port;
  ForwardingMode mode = ForwardingMode::kDirectRouting;
  bool removed = false;  // no longer configured; its last connections are still there

  friend bool operator==(const ServerDescription&, const ServerDescription&) = default;
};

class World {
 public:
  // `neighbors` must outlive the world, which is its only writer. `modes` are those that services
  // may have: DR and TUN need nothing that the dataplane could lack; NAT and FULLNAT need workers
  // with a TranslationTable, FULLNAT also with LocalPorts ([connections] nat of dataplane.toml,
  // which a refusal names).
  World(const std::vector<WorldPort>& ports, NeighborTable& neighbors,
        std::set<ForwardingMode> modes, const WorldLimits& limits = {});

  struct Outcome {
    std::shared_ptr<const ForwardingSnapshot> snapshot;  // null when refused
    std::vector<api::Refusal> refusals;                  // at most RefusalList::kMaxListed
  };
  Outcome apply(const api::Transaction& transaction);

  // What the device says of a port now. A new snapshot of the same generation when that changes
  // anything, else null.
  std::shared_ptr<const ForwardingSnapshot> port_changed(PortIndex port, const PortState& state);

  // A worker has a packet for a client on the port's own network, and knows no MAC: `address`
  // becomes one of the snapshot's client_hops, for ClientHopSet::kPatience from the last call. A
  // new snapshot of the same generation, which the caller publishes before it asks for the
  // neighbour; null when it is there already, cannot be a next hop, or there is no room now.
  std::shared_ptr<const ForwardingSnapshot> need_client_hop(PortIndex port,
                                                            const IpAddress& address,
                                                            ClientHopSet::Time now);
  // The same for many, with one snapshot.
  std::shared_ptr<const ForwardingSnapshot> need_client_hops(
      std::span<const NeighborTable::Key> hops, ClientHopSet::Time now);
  // Forgets those that are due. A new snapshot when there were any, else null. Call it every few
  // seconds.
  std::shared_ptr<const ForwardingSnapshot> expire_client_hops(ClientHopSet::Time now);

  // All resources in force, without the instance id.
  [[nodiscard]] api::State state() const { return desired_.to_api(context_.port_names); }
  [[nodiscard]] uint64_t generation() const { return desired_.generation(); }
  // The latest; never null.
  [[nodiscard]] const std::shared_ptr<const ForwardingSnapshot>& snapshot() const {
    return snapshot_;
  }

  // Nothing for an index that is free.
  [[nodiscard]] std::optional<ServerDescription> describe(ServerIndex server) const;
  // All that are in use, removed ones included, in ascending order.
  [[nodiscard]] std::vector<ServerIndex> servers() const;
  // "wan"; the port must exist.
  [[nodiscard]] const std::string& port_name(PortIndex port) const {
    return context_.port_names[index(port)];
  }

  // Frees the indexes of removed servers that are `unused` (no connection on any worker), of
  // services without servers and of neighbours that nothing refers to. Only while every worker runs
  // on snapshot(). The number of servers freed.
  size_t reclaim(const std::function<bool(ServerIndex)>& unused) {
    return builder_.reclaim(unused);
  }
  // After reclaim(): a new snapshot of the same generation when the last connections of a service's
  // former mode are gone, which workers need not look for any more; else null.
  std::shared_ptr<const ForwardingSnapshot> settle_owners();

 private:
  ValidationContext context_;
  WorldLimits limits_;
  DesiredState desired_;
  SnapshotBuilder builder_;
  std::shared_ptr<const ForwardingSnapshot> snapshot_;
};

}  // namespace ballast
