// [nat] of ballast.toml.
#include "control/config/endpoint.h"
#include "control/config/read_configuration.h"

namespace ballast::control {

void read_nat(TomlTable table, LocatedConfiguration& into) {
  NatSettings& nat = into.configuration.nat;
  if (const auto texts = table.strings("gateways")) {
    for (const TomlString& text : *texts) {
      if (const auto address = parse_address(text.value)) {
        nat.gateways.push_back(*address);
        into.nat.gateways.push_back(text.where);
      } else {
        table.error_at(text.where, "gateways " + address.error());
      }
    }
  }
  if (const auto texts = table.strings("routed_networks")) {
    for (const TomlString& text : *texts) {
      if (const auto prefix = parse_prefix(text.value)) {
        nat.routed_networks.push_back(*prefix);
        into.nat.routed_networks.push_back(text.where);
      } else {
        table.error_at(text.where, "routed_networks " + prefix.error());
      }
    }
  }
  table.finish();
}

}  // namespace ballast::control
