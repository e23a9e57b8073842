// Any bytes as ballast.toml: refused with errors that name the file, or accepted as a configuration
// that the rest may rely on.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "control/config/diff.h"
#include "control/config/load.h"

namespace {

void require(bool condition) {
  if (!condition) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ballast;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto loaded =
      control::parse_configuration(text, "f.toml", control::Capabilities{.vrrp = true});
  if (!loaded) {
    require(!loaded.error().empty());
    for (const std::string& line : loaded.error()) {
      require(line.starts_with("f.toml"));
      for (const char c : line) {  // nothing that could drive a terminal
        require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
      }
    }
    return 0;
  }
  const control::Configuration& configuration = loaded->configuration;
  require(control::diff(configuration, configuration).empty());
  const auto facts = control::facts_of(configuration);
  const auto changes = control::diff(control::Configuration{}, configuration);
  require(control::apply_changes(control::facts_of(control::Configuration{}), changes) ==
          control::apply_changes(facts, {}));
  for (const auto& service : configuration.services) {
    require(!service.name.empty() && !service.listeners.empty());
    for (const auto& server : service.servers) {
      require(healthcheck::validate(server.check).has_value());
      require(server.check.type == healthcheck::CheckType::kNone || server.check.port != 0);
    }
  }
  for (const auto& instance : configuration.vrrp) {
    require(!instance.name.empty() && !instance.interface.empty() && !instance.addresses.empty());
    require(instance.virtual_router_id != 0 && instance.priority != 0);
  }
  return 0;
}
