// Under which lease a VIP stands, as the dataplane is told.
#pragma once

#include <cstddef>
#include <map>

#include "dataplane/packet/address.h"

namespace ballast::control {

struct VipLease {
  size_t slot = 0;         // of the lease page; 0: held always
  MacAddress virtual_mac;  // zero: the port's own

  friend bool operator==(const VipLease&, const VipLease&) = default;
};

using VipLeases = std::map<IpAddress, VipLease>;  // those not there are held always

}  // namespace ballast::control
