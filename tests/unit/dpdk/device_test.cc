#include "dataplane/dpdk/device.h"

#include <gmock/gmock.h>

namespace ballast {
namespace {

using ::testing::HasSubstr;

constexpr MacAddress kMac({2, 0, 0, 0, 0, 1});

std::optional<std::string> vdev(const std::string& text, size_t port, uint16_t queues,
                                uint16_t mtu = 1500) {
  const auto device = Device::parse(text);
  EXPECT_TRUE(device) << text;
  return vdev_argument(*device, port, queues, mtu, kMac);
}

TEST(Device, IsAPciAddressOrAKindAndItsArgument) {
  const std::tuple<std::string, DeviceKind, std::string> devices[] = {
      {"0000:3b:00.0", DeviceKind::kPci, "0000:3b:00.0"},
      {"af_packet:eth1", DeviceKind::kAfPacket, "eth1"},
      {"af_xdp:eth1.100", DeviceKind::kAfXdp, "eth1.100"},
      {"tap:lb0", DeviceKind::kTap, "lb0"},
      {"memif:/run/a:b/memif.sock", DeviceKind::kMemif, "/run/a:b/memif.sock"},
      {"vhost:/run/vhost.sock", DeviceKind::kVhost, "/run/vhost.sock"},
      {"virtio_user:/run/port1.sock", DeviceKind::kVirtioUser, "/run/port1.sock"},
  };
  for (const auto& [text, kind, argument] : devices) {
    const auto device = Device::parse(text);
    ASSERT_TRUE(device) << device.error();
    EXPECT_EQ(device->kind, kind);
    EXPECT_EQ(device->argument, argument);
    EXPECT_EQ(device->is_virtual(), kind != DeviceKind::kPci);
    // Those that no hardware and no kernel interface stands behind.
    EXPECT_EQ(device->invents_mac(), kind != DeviceKind::kPci && kind != DeviceKind::kAfPacket &&
                                         kind != DeviceKind::kAfXdp);
  }
  EXPECT_EQ(Device::parse("af_xdp:eth1")->kernel_interface(), "eth1");
  EXPECT_EQ(Device::parse("tap:lb0")->kernel_interface(), "");
}

TEST(Device, IsNothingElse) {
  for (const char* text : {"",
                           ":",
                           "eth1",
                           "af_packet",
                           "af_packet:",
                           "af_packets:eth1",
                           "AF_XDP:eth1",
                           "tap:a b",
                           "tap:sixteen_letters_",
                           "af_xdp:eth1,start_queue=7",
                           "memif:/a,b",
                           "memif:a=b",
                           "tap:a\n",
                           "vhost",
                           "vhost:",
                           "vhost:/a b",
                           "vhost:/a,client=1",
                           "virtio_user:",
                           "virtio-user:/a",
                           "0000:3b:00",
                           "3b:00.0",
                           "0000:3b:00.00",
                           "0000:3g:00.0",
                           "0000-3b-00.0"}) {
    const auto device = Device::parse(text);
    ASSERT_FALSE(device) << text;
    EXPECT_THAT(device.error(), HasSubstr(std::string("device \"") + text + "\"")) << text;
  }
}

TEST(Device, OnASocketHasAPathThatFitsIntoASocketAddress) {
  for (const std::string kind : {"memif:", "vhost:", "virtio_user:"}) {
    EXPECT_TRUE(Device::parse(kind + "/" + std::string(106, 's')));
    const auto device = Device::parse(kind + "/" + std::string(107, 's'));
    ASSERT_FALSE(device) << kind;
    EXPECT_THAT(device.error(), HasSubstr("not a socket path (1-107 characters)"));
  }
}

TEST(Device, MakesTheSocketItselfUnlessItIsTheGuest) {
  EXPECT_TRUE(Device::parse("memif:/run/m.sock")->makes_socket());
  EXPECT_TRUE(Device::parse("vhost:/run/v.sock")->makes_socket());
  EXPECT_FALSE(Device::parse("virtio_user:/run/v.sock")->makes_socket());
  EXPECT_FALSE(Device::parse("tap:lb0")->makes_socket());
}

TEST(Device, IsNamedAndDescribedAsEalWantsIt) {
  EXPECT_EQ(vdev("0000:3b:00.0", 0, 1), std::nullopt);
  EXPECT_EQ(eal_name(*Device::parse("0000:3b:00.0"), 3), "0000:3b:00.0");
  EXPECT_EQ(vdev("af_xdp:eth1", 2, 4), "net_af_xdp2,iface=eth1,start_queue=0,queue_count=4");
  EXPECT_EQ(vdev("af_packet:eth1", 0, 2),
            "net_af_packet0,iface=eth1,qpairs=2,blocksz=65536,framesz=2048,framecnt=4096");
  EXPECT_EQ(vdev("tap:lb0", 1, 1), "net_tap1,iface=lb0");
  EXPECT_EQ(vdev("memif:/run/m.sock", 1, 1),
            "net_memif1,role=server,socket=/run/m.sock,socket-abstract=no,mac=02:00:00:00:00:01");
  EXPECT_EQ(vdev("vhost:/run/v.sock", 0, 2),
            "net_vhost0,iface=/run/v.sock,client=0,queues=2,tso=0");
  EXPECT_EQ(vdev("virtio_user:/run/v.sock", 3, 2),
            "net_virtio_user3,path=/run/v.sock,server=0,queues=2,queue_size=1024,"
            "mac=02:00:00:00:00:01");
}

TEST(Device, HasTheNameUnderWhichEalMakesIt) {
  for (const std::string text : {"af_xdp:eth1", "af_packet:eth1", "tap:lb0", "memif:/run/m.sock",
                                 "vhost:/run/v.sock", "virtio_user:/run/v.sock"}) {
    const std::string argument = *vdev(text, 7, 1);
    EXPECT_EQ(argument.substr(0, argument.find(',')), eal_name(*Device::parse(text), 7)) << text;
  }
}

TEST(Device, OfAfPacketHasFramesThatHoldTheMtu) {
  for (const uint16_t mtu : std::to_array<uint16_t>({1280, 1500, 1900, 1901, 4000, 9000})) {
    const std::string argument = *vdev("af_packet:eth1", 0, 1, mtu);
    const auto value_of = [&argument](const std::string& key) {
      return std::stoul(argument.substr(argument.find(key + "=") + key.size() + 1));
    };
    EXPECT_GE(value_of("framesz"), mtu + 14U + 4U + 66U) << argument;
    EXPECT_EQ(value_of("blocksz") % value_of("framesz"), 0U);
    // The PMD asks for whole blocks.
    EXPECT_EQ(value_of("framecnt") % (value_of("blocksz") / value_of("framesz")), 0U);
  }
}

}  // namespace
}  // namespace ballast
