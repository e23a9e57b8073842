#include <algorithm>

#include <fmt/format.h>

#include "dataplane/world/validate.h"

namespace ballast {
namespace {

constexpr int kMaxAddresses = 4096;

}  // namespace

std::optional<std::pair<PortIndex, PortSpecification>> validate_port(
    const api::Port& port, const ValidationContext& context, RefusalList& refusals) {
  const auto index = context.find_port(port.name());
  if (!index) {
    refusals.add("port " + quoted(port.name()), context.unknown_port(port.name()));
    return std::nullopt;
  }
  const std::string what = describe_port(port.name());
  if (port.addresses_size() > kMaxAddresses) {
    refusals.add(what, fmt::format("has {} addresses: at most {} are supported",
                                   port.addresses_size(), kMaxAddresses));
    return std::nullopt;
  }
  const size_t before = refusals.total();
  PortSpecification result{{}, port.link_up(), port.link_known()};
  for (const std::string& text : port.addresses()) {
    const auto address = IpAddress::parse(text);
    if (!address) {
      refusals.add(what, quoted(text) + " is not an address (without prefix length)");
    } else if (const char* why = why_not_unicast(*address); why && !address->is_loopback()) {
      refusals.add(what, fmt::format("address {} {}", address->to_string(), why));
    } else {
      result.addresses.push_back(*address);
    }
  }
  if (refusals.total() != before) {
    return std::nullopt;
  }
  std::sort(result.addresses.begin(), result.addresses.end());
  result.addresses.erase(std::unique(result.addresses.begin(), result.addresses.end()),
                         result.addresses.end());
  return std::pair(*index, std::move(result));
}

}  // namespace ballast
