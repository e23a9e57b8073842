// What the dataplane can do.
#pragma once

#include <string>
#include <vector>

#include "control/config/configuration.h"

namespace ballast::control {

// As the dataplane says itself when ballastd connects. The defaults are for checks without one.
struct Capabilities {
  std::vector<std::string> modes{"dr", "nat", "fullnat", "tun"};
  std::vector<std::string> schedulers{"rr", "wrr", "mh"};
  std::vector<std::string> ports;  // by name; empty: not known
};

// Why services cannot have the mode, and what would help; empty when they can.
std::string unsupported_mode(Mode mode, const Capabilities& capabilities);

}  // namespace ballast::control
