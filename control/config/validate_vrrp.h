// What concerns several values of [[vrrp]] at once, or [[vrrp]] and the rest of the configuration.
#pragma once

#include <string>
#include <vector>

#include "control/config/read_configuration.h"
#include "toml_reader/toml_report.h"

namespace ballast::control {

// Virtual routers, two for an instance with both families: the dataplane leases addresses in 64
// slots, of which one never ends.
inline constexpr size_t kMostVirtualRouters = 63;
// IPv6 addresses of one virtual router: an advert with more would not fit into the smallest MTU.
inline constexpr size_t kMostIpv6Addresses = 76;

void validate_vrrp(const LocatedConfiguration& located, TomlReport& report);

// Against the ports that a dataplane has; none: nobody knows them.
void validate_vrrp_ports(const LocatedConfiguration& located, const std::vector<std::string>& ports,
                         TomlReport& report);

}  // namespace ballast::control
