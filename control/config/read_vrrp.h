// Reads [[vrrp]] of ballast.toml, each value by itself; what concerns several is validate_vrrp.h's.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/config/read_configuration.h"
#include "toml_reader/toml_table.h"

namespace ballast::control {

void read_vrrp(TomlTable table, LocatedConfiguration& into);

// One element of `track`. Left out of the instance when anything in it is wrong.
void read_vrrp_track(TomlTable table, VrrpSettings& instance, VrrpPositions& positions);

// `key = "/path"` or `key = ["/path", "argument", ...]`; nothing when it is absent or wrong.
std::optional<std::vector<std::string>> read_command(TomlTable& table, std::string_view key);

}  // namespace ballast::control
