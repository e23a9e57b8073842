// What a scheduler is: two methods.
//
// set_servers() builds whatever tables the algorithm needs; it runs once, off the packet path, on a
// fresh object that no worker sees yet. From then on the object is immutable and shared by all
// workers through the forwarding snapshot: pick() is const, called once per new connection. What
// must be remembered between two picks (a position in a round) lives in the caller's cursor, one
// per worker and pool, which survives a change of the servers.
//
// Two more are for algorithms that hash. Their tables should not change with the servers' health:
// set_pool() tells them of the servers that are down as well, and of the scheduler before, whose
// table they may share. hashes() says that a flow alone decides.
//
// README.md in this folder says how to add one.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "dataplane/packet/address.h"
#include "dataplane/packet/byte_order.h"
#include "dataplane/packet/flow_key.h"
#include "dataplane/packet/numbers.h"

namespace ballast {

// A server as a scheduler sees it. Only servers that may take new connections are given (weight
// above zero, healthy, not drained), in an order that does not depend on the order of the
// configuration: sorted by address, then port.
struct SchedulableServer {
  ServerIndex server;
  IpAddress address;
  Big16 port;
  uint32_t weight;  // 1..65535
};

// Where a worker stands in a pool. Opaque to all but the scheduler; zero at first, except that the
// worker's index has been put into `salt`, so that workers need not walk in step.
struct SchedulerCursor {
  uint32_t position = 0;
  uint32_t salt = 0;
};

// Connections of a server over all workers, exact to within those opened in one burst.
class ServerLoads {
 public:
  virtual ~ServerLoads() = default;
  [[nodiscard]] virtual uint32_t active_connections(ServerIndex server) const = 0;
  [[nodiscard]] virtual uint32_t inactive_connections(ServerIndex server) const = 0;
};

// All servers of a pool that have a weight, each in one of the two; in canonical order, as above.
struct PoolServers {
  std::span<const SchedulableServer> usable;
  // Configured, but not to be picked now: down, drained, disabled. Their weight is the configured
  // one.
  std::span<const SchedulableServer> resting;
};

struct PickRequest {
  const FlowKey& flow;
  const ServerLoads& loads;
  SchedulerCursor& cursor;
};

class Scheduler {
 public:
  virtual ~Scheduler() = default;

  // Called once, before the first pick(); the span need not outlive the call.
  virtual void set_servers(std::span<const SchedulableServer> servers) = 0;

  // What the pool calls in place of set_servers(); for algorithms whose tables outlive a change of
  // health. `previous` is what the pool had until now, of whatever kind, or null; what is taken
  // from it is shared, since workers still use it.
  virtual void set_pool(const PoolServers& servers, const Scheduler* /*previous*/) {
    set_servers(servers.usable);
  }

  // Whether the answer depends on the flow alone, given servers, weights and health: not on the
  // cursor, the loads or the worker. Another node with the same servers then gives the same answer,
  // and a flow that is met in its middle can be sent where it belongs.
  [[nodiscard]] virtual bool hashes() const { return false; }

  // The server for a new connection; kNoServer when there are none.
  virtual ServerIndex pick(const PickRequest& request) const = 0;
};

}  // namespace ballast
