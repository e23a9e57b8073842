// Maglev consistent hash ("mh"): the server follows from the flow alone, in proportion to the
// weights.
//
// Theory of operation
//   The table (maglev_table.h) is built over all configured servers that have a weight, usable or
//   not. A flow's hash names a slot; while the slot's server is unusable, the hash is hashed again
//   and names another. So a change of health moves the flows of the server that it happened to and
//   not one other, and costs no build: the table is handed on from scheduler to scheduler as long
//   as servers and weights are the same, each with its own list of who is usable.
//   After kMostProbes slots without a usable server, which takes a pool of which most is down, the
//   usable ones compete by a hash of flow and server, weighted (rendezvous hashing): still a
//   function of the flow alone, which moves nobody else's flows when one of them goes.
//
// Two nodes with the same servers, weights and health give the same answer for the same flow,
// without exchanging anything: neither cursor, load, worker nor the order of the servers matters,
// nor the secret hash key of the process. A connection that was opened while the servers' health or
// weights were different may have another server than the hash would name now.
//
// The hash is keyed, but the key is public (maglev_hash.h), as in other deployments of Maglev: it
// must be the same on both nodes. Whoever chooses addresses and ports at will can therefore send
// many flows to one server, but not more than he could by watching which server answers him.
// Connection tables are not concerned: they hash with the secret key.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "dataplane/scheduler/maglev_table.h"
#include "dataplane/scheduler/scheduler.h"

namespace ballast {

class Maglev final : public Scheduler {
 public:
  // With 9 of 10 servers down, one flow in a thousand needs more.
  static constexpr uint32_t kMostProbes = 64;

  void set_servers(std::span<const SchedulableServer> servers) override;
  void set_pool(const PoolServers& servers, const Scheduler* previous) override;
  ServerIndex pick(const PickRequest& request) const override;
  [[nodiscard]] bool hashes() const override { return true; }

  // Over all configured servers; null when there are none.
  [[nodiscard]] const MaglevTable* table() const { return table_.get(); }

 private:
  struct Usable {
    uint64_t hash;
    uint64_t weight;
    ServerIndex server;
  };

  [[nodiscard]] ServerIndex compete(uint64_t flow_hash) const;

  std::shared_ptr<const MaglevTable> table_;
  std::vector<ServerIndex> servers_;  // by member of the table; kNoServer: not usable
  std::vector<Usable> usable_;
};

}  // namespace ballast
