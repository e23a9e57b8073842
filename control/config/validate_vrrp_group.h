// What decides the elections of a group: members that agree, things that are tracked, weights that
// can move something.
#pragma once

#include "control/config/read_configuration.h"
#include "toml_reader/toml_report.h"

namespace ballast::control {

void validate_vrrp_groups(const LocatedConfiguration& located, TomlReport& report);

}  // namespace ballast::control
