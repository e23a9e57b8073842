#include "dataplane/dpdk/device_plan.h"

#include <algorithm>

namespace ballast {
namespace {

// Of MTUs beyond this, frames may not fit into an ordinary buffer.
constexpr uint16_t kOrdinaryMtu = 1500;

// Peers on shared memory chain buffers as they please.
bool may_give_chains(const DevicePlan& plan) {
  return plan.settings.mtu > kOrdinaryMtu || plan.device.is_on_socket() ||
         plan.device.kind == DeviceKind::kTap;
}

}  // namespace

std::vector<DevicePlan> plan_devices(const DataplaneSettings& settings) {
  std::vector<DevicePlan> plans;
  for (size_t i = 0; i < settings.ports.size(); ++i) {
    const PortSettings& port = settings.ports[i];
    const Device device = *Device::parse(port.device);  // validate() has parsed it
    auto plan = std::find_if(plans.begin(), plans.end(), [&](const DevicePlan& known) {
      return known.device.kind == device.kind && known.device.argument == device.argument;
    });
    if (plan == plans.end()) {
      plans.push_back({.device = device,
                       .eal_name = eal_name(device, i),
                       .ports = {},
                       .settings = {.port = port.name, .queues = port.queues, .mtu = port.mtu}});
      plan = plans.end() - 1;
    }
    plan->ports.push_back(i);
    plan->settings.mtu = std::max(plan->settings.mtu, port.mtu);
    plan->settings.tagged = plan->settings.tagged || port.vlan != 0;
  }
  const bool chained_frames = std::any_of(plans.begin(), plans.end(), may_give_chains);
  for (DevicePlan& plan : plans) {
    plan.settings.chained_frames = chained_frames;
  }
  return plans;
}

}  // namespace ballast
