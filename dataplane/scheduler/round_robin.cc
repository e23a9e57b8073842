#include "dataplane/scheduler/round_robin.h"

#include "dataplane/scheduler/server_order.h"
#include "dataplane/scheduler/turn.h"

namespace ballast {

void RoundRobin::set_servers(std::span<const SchedulableServer> servers) {
  servers_.clear();
  servers_.reserve(servers.size());
  for (const SchedulableServer& server : in_canonical_order(servers)) {
    servers_.push_back(server.server);
  }
}

ServerIndex RoundRobin::pick(const PickRequest& request) const {
  if (servers_.empty()) {
    return kNoServer;
  }
  return servers_[take_turn(request.cursor, static_cast<uint32_t>(servers_.size()))];
}

}  // namespace ballast
