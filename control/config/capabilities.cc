#include "control/config/capabilities.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace ballast::control {

std::string unsupported_mode(Mode mode, const Capabilities& capabilities) {
  const auto& modes = capabilities.modes;
  if (std::find(modes.begin(), modes.end(), name_of(mode)) != modes.end()) {
    return {};
  }
  const bool translates = mode == Mode::kNat || mode == Mode::kFullNat;
  return fmt::format("mode \"{}\" is not supported by this dataplane ({}){}", name_of(mode),
                     fmt::join(modes, ", "),
                     translates ? ": it takes nat = true in [connections] of dataplane.toml" : "");
}

}  // namespace ballast::control
