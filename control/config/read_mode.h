// The keys of a [[service]] that say how its packets reach the servers.
#pragma once

#include <cstddef>

#include "control/config/read_configuration.h"

namespace ballast::control {

// A key of another mode than the service's is an error. `addresses_left`: so many local addresses
// all services may still have.
void read_mode(TomlTable& table, const Capabilities& capabilities, ServiceSettings& service,
               ServicePositions& positions, size_t& addresses_left);

}  // namespace ballast::control
