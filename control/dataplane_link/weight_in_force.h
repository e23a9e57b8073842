// The weight with which a server takes part now. Pure.
#pragma once

#include <cstdint>

#include "control/dataplane_link/server_id.h"

namespace ballast::control {

// Health unknown counts as not up: nothing is sent to a server that nobody has seen working. The
// first check is made at once, and a restarted ballastd takes over the health that the dataplane
// knows, so that this is felt by new servers only.
constexpr uint16_t weight_in_force(uint16_t configured, const ServerCondition& condition) {
  const bool takes_connections = condition.health == healthcheck::Health::kUp &&
                                 condition.override_by_hand == ballast::api::NO_OVERRIDE;
  return takes_connections ? configured : uint16_t{0};
}

}  // namespace ballast::control
