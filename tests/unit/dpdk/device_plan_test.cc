#include "dataplane/dpdk/device_plan.h"

#include <gmock/gmock.h>

namespace ballast {
namespace {

using ::testing::ElementsAre;

PortSettings port(const std::string& name, const std::string& device, uint16_t vlan = 0,
                  uint16_t mtu = 1500) {
  return {.name = name, .device = device, .mac = std::nullopt, .mtu = mtu, .vlan = vlan};
}

TEST(DevicePlan, IsOneForPortsOfDifferentVlansOnOneDevice) {
  DataplaneSettings settings;
  settings.ports = {port("wan", "af_packet:eth1", 100), port("own", "af_packet:eth2"),
                    port("lan", "af_packet:eth1", 200, 4000), port("rest", "af_packet:eth1")};
  const auto plans = plan_devices(settings);
  ASSERT_EQ(plans.size(), 2U);
  EXPECT_THAT(plans[0].ports, ElementsAre(0, 2, 3));
  EXPECT_EQ(plans[0].eal_name, "net_af_packet0");
  EXPECT_EQ(plans[0].settings.port, "wan");
  EXPECT_EQ(plans[0].settings.mtu, 4000);
  EXPECT_TRUE(plans[0].settings.tagged);
  EXPECT_THAT(plans[1].ports, ElementsAre(1));
  EXPECT_EQ(plans[1].eal_name, "net_af_packet1");
  EXPECT_EQ(plans[1].settings.mtu, 1500);
  EXPECT_FALSE(plans[1].settings.tagged);
}

TEST(DevicePlan, SaysForAllDevicesWhetherOneMayGiveChains) {
  const std::tuple<std::string, uint16_t, bool> cases[] = {
      {"0000:3b:00.0", 1500, false},     {"0000:3b:00.0", 9000, true},
      {"af_packet:eth1", 1500, false},   {"memif:/run/m.sock", 1500, true},
      {"vhost:/run/v.sock", 1500, true}, {"virtio_user:/run/v.sock", 1500, true},
      {"tap:lb0", 1500, true},
  };
  for (const auto& [device, mtu, chained] : cases) {
    DataplaneSettings settings;
    settings.ports = {port("wan", "0000:3b:00.1"), port("lan", device, 0, mtu)};
    for (const DevicePlan& plan : plan_devices(settings)) {
      EXPECT_EQ(plan.settings.chained_frames, chained) << device;
    }
  }
}

}  // namespace
}  // namespace ballast
