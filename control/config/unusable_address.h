// Addresses that name no single host.
#pragma once

#include <string_view>

#include "dataplane/packet/address.h"

namespace ballast::control {

// Why an address can be neither a VIP nor a server nor a node's own; empty when it can.
std::string_view unusable(const IpAddress& address);

}  // namespace ballast::control
