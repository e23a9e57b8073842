// What concerns several values of a configuration at once: keys that are used twice, addresses with
// two meanings, listeners without servers, bounds on numbers.
#pragma once

#include "control/config/read_configuration.h"
#include "toml_reader/toml_report.h"

namespace ballast::control {

inline constexpr size_t kMostListeners = 65536;      // of all services together
inline constexpr size_t kMostServers = 100000;       // likewise
inline constexpr size_t kMostLocalAddresses = 4096;  // different ones, of all services
inline constexpr size_t kMostRoutedNetworks = 256;

// Puts the ports of servers into their final form first: where the mode keeps
// ports they become 0 (see ServerKey).
void validate(LocatedConfiguration& located, TomlReport& report);

}  // namespace ballast::control
