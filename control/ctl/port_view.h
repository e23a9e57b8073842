// What people see of the dataplane's ports.
#pragma once

#include <string>

#include "control/api/control.pb.h"
#include "control/ctl/style.h"

namespace ballast::control {

// Each port with all that is known of it: who brings packets to the workers that own them, and how
// many had to be handed over.
std::string render_ports(const api::ListPortsAnswer& answer, Style style);
std::string render_port_names(const api::ListPortsAnswer& answer);  // a line each

}  // namespace ballast::control
