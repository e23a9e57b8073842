// Reads `check = { type = "http", ... }` of a service, and of a server, which overrides what it
// inherits.
#pragma once

#include "healthcheck/check_settings.h"
#include "toml_reader/toml_table.h"

namespace ballast::control {

// Settings together with what was said and what follows from defaults, as inheritance needs it.
struct CheckReading {
  healthcheck::CheckSettings settings;
  bool timeout_given = false;  // false: the timeout follows the interval
};

// `inherited` holds the values of keys that are absent. `type_required`: there is nothing to
// inherit the type from.
CheckReading read_check(TomlTable table, const CheckReading& inherited, bool type_required);

}  // namespace ballast::control
