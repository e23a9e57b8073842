#include "control/config/load.h"

#include "control/config/read_configuration.h"
#include "control/config/validate.h"
#include "control/config/validate_vrrp.h"
#include "toml_reader/toml_document.h"

namespace ballast::control {
namespace {

tl::expected<LoadedConfiguration, LoadErrors> load(
    const tl::expected<TomlDocument, std::string>& document, const Capabilities& capabilities) {
  if (!document) {
    return tl::unexpected(LoadErrors{document.error()});
  }
  TomlReport report(document->file());
  LocatedConfiguration located = read_configuration(document->root(report), capabilities);
  validate(located, report);
  validate_vrrp_ports(located, capabilities.ports, report);
  if (report.has_errors()) {
    return tl::unexpected(report.errors());
  }
  return LoadedConfiguration{std::move(located.configuration), report.warnings()};
}

}  // namespace

tl::expected<LoadedConfiguration, LoadErrors> load_configuration(const std::string& path,
                                                                 const Capabilities& capabilities) {
  return load(TomlDocument::read_file(path), capabilities);
}

tl::expected<LoadedConfiguration, LoadErrors> parse_configuration(
    std::string_view text, const std::string& file, const Capabilities& capabilities) {
  return load(TomlDocument::parse(text, file), capabilities);
}

}  // namespace ballast::control
