// The next hops on the ways to clients: which there are, and for how long.
//
// Gateways are there as long as a route names them. A client on a port's own network is there on
// demand, when a worker has a packet for it and knows no MAC: clients are many, and come from the
// network, so they are bounded (kMostClients; the one asked for longest ago makes place) and
// forgotten kPatience after they were last asked for. Nor do they take the last quarter of the
// NeighborTable, which servers and gateways may need.
//
// Each is a reference in NeighborReferences; what is given up keeps its index until reclaim().
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "dataplane/neighbor/neighbor_table.h"
#include "dataplane/service/client_hops.h"
#include "dataplane/world/neighbor_references.h"

namespace ballast {

class ClientHopSet {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Key = NeighborTable::Key;
  static constexpr size_t kMostClients = 4096;
  static constexpr std::chrono::minutes kPatience{5};

  explicit ClientHopSet(NeighborReferences& neighbors) : neighbors_(neighbors) {}

  // By how many the hops of routes through a gateway become more or fewer.
  using GatewayChanges = std::map<Key, int64_t>;
  // The NeighborTable has room.
  void change_gateways(const GatewayChanges& changes);

  // The index of a hop that was not there, and is now; else kNoNeighbor.
  NeighborIndex need(const Key& key, Time now);
  // Forgets clients that nobody has asked for; whether there were any.
  bool expire(Time now);

  // The same object until a hop comes or goes.
  [[nodiscard]] std::shared_ptr<const ClientHops> table();

 private:
  struct Gateway {
    int64_t routes = 0;  // hops of routes
    NeighborIndex neighbor = kNoNeighbor;
  };
  struct Client {
    Time asked;
    NeighborIndex neighbor = kNoNeighbor;
  };

  void forget_oldest();

  NeighborReferences& neighbors_;
  std::map<Key, Gateway> gateways_;
  std::map<Key, Client> clients_;
  std::set<std::pair<Time, Key>> by_time_;  // of clients_
  bool changed_ = false;                    // since table_ was made
  std::shared_ptr<const ClientHops> table_ = std::make_shared<const ClientHops>();
};

}  // namespace ballast
