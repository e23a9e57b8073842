// The condition of a server, and the weight with which it takes part, now. Pure.
#pragma once

#include <cstdint>

#include "control/dataplane_link/server_id.h"

namespace ballast::control {

// A server that is not checked is up from the first moment: nobody will ever know more of it. Else
// a service that a reload adds would stand without servers until the monitor has said so.
inline ServerCondition condition_in_force(const ServerSettings& settings, ServerCondition known) {
  if (known.health == healthcheck::Health::kUnknown &&
      settings.check.type == healthcheck::CheckType::kNone) {
    known.health = healthcheck::Health::kUp;
  }
  return known;
}

// Health unknown counts as not up: nothing is sent to a server that nobody has seen working. The
// first check is made at once, and a restarted ballastd takes over the health that the dataplane
// knows, so that this is felt by new servers only.
constexpr uint16_t weight_in_force(uint16_t configured, const ServerCondition& condition) {
  const bool takes_connections = condition.health == healthcheck::Health::kUp &&
                                 condition.override_by_hand == ballast::api::NO_OVERRIDE;
  return takes_connections ? configured : uint16_t{0};
}

}  // namespace ballast::control
