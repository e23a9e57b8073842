// From ballast.toml to a Configuration: read the file (read_configuration.h), then check it as a
// whole (validate.h).
//
// A file is accepted with warnings, or refused with every error that was found. Either is a list of
// lines ready to be shown: `ballast.toml:14:13: service "web": port 70000 is out of range
// (1-65535)`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <tl/expected.hpp>

#include "control/config/capabilities.h"
#include "control/config/configuration.h"

namespace ballast::control {

struct LoadedConfiguration {
  Configuration configuration;
  std::vector<std::string> warnings;
};

using LoadErrors = std::vector<std::string>;  // at least one

tl::expected<LoadedConfiguration, LoadErrors> load_configuration(const std::string& path,
                                                                 const Capabilities& capabilities);
// The same for a text; `file` is for messages only.
tl::expected<LoadedConfiguration, LoadErrors> parse_configuration(std::string_view text,
                                                                  const std::string& file,
                                                                  const Capabilities& capabilities);

}  // namespace ballast::control
