// Which devices there are to be, of the ports that the settings ask for: ports with different VLANs
// may share one.
#pragma once

#include <string>
#include <vector>

#include "dataplane/dpdk/ethernet_device.h"
#include "dataplane/dpdk/settings.h"

namespace ballast {

struct DevicePlan {
  Device device;
  std::string eal_name;
  std::vector<size_t> ports;  // their numbers; the first one's is part of the EAL name
  EthernetDeviceSettings settings;
};

// The settings are valid. In order of their first ports.
std::vector<DevicePlan> plan_devices(const DataplaneSettings& settings);

}  // namespace ballast
