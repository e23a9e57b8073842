// Servers and picks for the tests of schedulers.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/scheduler/scheduler.h"

namespace ballast {

class NoLoads final : public ServerLoads {
 public:
  [[nodiscard]] uint32_t active_connections(ServerIndex) const override { return 0; }
  [[nodiscard]] uint32_t inactive_connections(ServerIndex) const override { return 0; }
};

// Servers 1, 2, ... in the order of their addresses, which is that of the weights.
inline std::vector<SchedulableServer> servers_of_weights(std::span<const uint32_t> weights) {
  std::vector<SchedulableServer> servers;
  for (uint32_t i = 0; i < weights.size(); ++i) {
    const IpAddress address = IpAddress::v4(
        {10, static_cast<uint8_t>(i >> 16), static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i)});
    servers.push_back({ServerIndex{i + 1}, address, Big16::from_host(80), weights[i]});
  }
  return servers;
}

// The flow of a client that differs for each number.
inline FlowKey flow_number(uint32_t number) {
  FlowKey flow;
  flow.client =
      IpAddress::v4({198, 51, static_cast<uint8_t>(number >> 8), static_cast<uint8_t>(number)});
  flow.vip = IpAddress::v4({192, 0, 2, 10});
  flow.client_port = Big16::from_host(static_cast<uint16_t>(1024 + number % 60000));
  flow.vip_port = Big16::from_host(80);
  flow.protocol = IpProtocol::kTcp;
  return flow;
}

inline std::optional<ServerIndex> pick_once(const Scheduler& scheduler, SchedulerCursor& cursor,
                                            uint32_t number = 0) {
  const FlowKey flow = flow_number(number);
  const NoLoads loads;
  const ServerIndex server = scheduler.pick({flow, loads, cursor});
  return server != kNoServer ? std::optional(server) : std::nullopt;
}

// The subscripts of the servers of the next picks; at() fails the test on "none".
inline std::vector<uint32_t> pick_many(const Scheduler& scheduler, SchedulerCursor& cursor,
                                       size_t count) {
  std::vector<uint32_t> picks;
  for (size_t i = 0; i < count; ++i) {
    picks.push_back(index(pick_once(scheduler, cursor, static_cast<uint32_t>(i)).value()) - 1);
  }
  return picks;
}

}  // namespace ballast
