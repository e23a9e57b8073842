// Round robin ("rr"): every server in its turn, whatever the weights. A server of weight 0 is not
// given to a scheduler at all, so it gets nothing here either.
#pragma once

#include <span>
#include <vector>

#include "dataplane/scheduler/scheduler.h"

namespace ballast {

class RoundRobin final : public Scheduler {
 public:
  void set_servers(std::span<const SchedulableServer> servers) override;
  ServerIndex pick(const PickRequest& request) const override;

 private:
  std::vector<ServerIndex> servers_;
};

}  // namespace ballast
