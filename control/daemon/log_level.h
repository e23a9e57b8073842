// `log_level` of ballast.toml, put into force.
#pragma once

#include "control/config/configuration.h"

namespace ballast::control {

void set_log_level(LogLevel level);

}  // namespace ballast::control
