// Which real server is meant, everywhere in the control daemon.
#pragma once

#include <compare>
#include <map>
#include <string>

#include <fmt/format.h>

#include "control/config/configuration.h"
#include "dataplane/api/dataplane.pb.h"
#include "healthcheck/health_state.h"

namespace ballast::control {

struct ServerId {
  std::string service;
  ServerKey server;

  // The monitor's key: `web 10.0.0.11:8080`.
  [[nodiscard]] std::string to_string() const {
    return fmt::format("{} {}", service, server.to_string());
  }
  friend auto operator<=>(const ServerId&, const ServerId&) = default;
};

// What is known of a server beside its configuration.
struct ServerCondition {
  healthcheck::Health health = healthcheck::Health::kUnknown;
  ballast::api::Override override_by_hand = ballast::api::NO_OVERRIDE;

  friend bool operator==(const ServerCondition&, const ServerCondition&) = default;
};

// Those that are not named are of unknown health and without override.
using ServerConditions = std::map<ServerId, ServerCondition>;

}  // namespace ballast::control
