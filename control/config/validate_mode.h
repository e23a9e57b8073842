// What must hold within a service so that its mode can work: ports, families, local addresses,
// outer source addresses.
#pragma once

#include "control/config/address_roles.h"
#include "control/config/read_configuration.h"
#include "toml_reader/toml_report.h"

namespace ballast::control {

// Packets reach servers with the port that the client wrote.
constexpr bool keeps_ports(Mode mode) {
  return mode == Mode::kDirectRouting || mode == Mode::kTunnel;
}

// While the servers' ports are still as written.
void check_server_ports(const ServiceSettings& service, const ServicePositions& positions,
                        TomlReport& report);

// `roles` has the addresses of the whole configuration.
void validate_mode(const ServiceSettings& service, const ServicePositions& positions,
                   const AddressRoles& roles, TomlReport& report);

}  // namespace ballast::control
