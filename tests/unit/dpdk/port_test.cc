#include "dataplane/dpdk/port.h"

#include <gmock/gmock.h>
#include <rte_dev.h>

#include "tests/unit/dpdk/eal_fixture.h"

namespace ballast {
namespace {

using test::Frame;
using test::Mbuf;
using ::testing::Contains;
using ::testing::HasSubstr;
using testing::packet;
using testing::PacketBuilder;
using ::testing::SizeIs;

constexpr WorkerIndex kWorker{0};

PacketBuilder datagram(size_t payload) {
  return packet().ip("198.51.100.7", "192.0.2.10").udp(40000, 53).payload(test::Bytes(payload, 7));
}

class PortTest : public test::EalTest {
 protected:
  std::unique_ptr<Port> open(const PortSettings& settings) {
    auto port = Port::open(settings, Device{DeviceKind::kMemif, "test"}, device_.eal_name(),
                           MacAddress{}, steering_, pool());
    EXPECT_TRUE(port) << port.error();
    return std::move(*port);
  }

  static std::vector<Frame> frames(const std::vector<Mbuf>& mbufs) {
    std::vector<Frame> result;
    for (const Mbuf& mbuf : mbufs) {
      result.push_back(frame_of(*mbuf));
    }
    return result;
  }

  test::RingDevice device_;
  Steering steering_{RssKey{}, 1};
};

TEST_F(PortTest, WithoutAVlanSendsFramesAsTheyAre) {
  const auto port = open({.name = "wan", .device = "", .mac = {}});
  rte_mbuf* mbuf = mbuf_of(datagram(3000).build(), 1000).release();
  EXPECT_EQ(port->transmit(kWorker, &mbuf, 1).sent, 1);
  const auto sent = device_.take_sent();
  ASSERT_THAT(sent, SizeIs(1));
  EXPECT_EQ(sent[0].get(), mbuf);
  EXPECT_EQ(sent[0]->nb_segs, 4);
}

TEST_F(PortTest, WithAVlanSendsFramesTaggedAndCountsThem) {
  const auto port = open({.name = "wan", .device = "", .mac = {}, .vlan = 100});
  std::vector<rte_mbuf*> mbufs;
  for (const size_t payload : {1, 1472, 8000}) {
    mbufs.push_back(mbuf_of(datagram(payload).build()).release());
  }
  EXPECT_EQ(port->transmit(kWorker, mbufs.data(), 3).sent, 3);
  EXPECT_THAT(
      frames(device_.take_sent()),
      ::testing::ElementsAre(datagram(1).vlan(100).build(), datagram(1472).vlan(100).build(),
                             datagram(8000).vlan(100).build()));
  const PortCounters counters = port->counters();
  EXPECT_EQ(counters.tx_packets, 3U);
  EXPECT_EQ(counters.tx_bytes, 3U * 46 + 1 + 1472 + 8000);
  EXPECT_EQ(counters.rx_packets, 0U);
}

TEST_F(PortTest, LeavesFramesWithoutRoomForTheTagToTheCaller) {
  const auto port = open({.name = "wan", .device = "", .mac = {}, .vlan = 100});
  std::array<rte_mbuf*, 3> mbufs{};
  for (size_t i = 0; i < mbufs.size(); ++i) {
    mbufs[i] = mbuf_of(datagram(i).build()).release();
  }
  rte_mbuf* full = mbufs[1];
  ASSERT_NE(rte_pktmbuf_prepend(full, 127), nullptr);
  const Transmission done = port->transmit(kWorker, mbufs.data(), 3);
  EXPECT_EQ(done.sent, 2);
  EXPECT_EQ(done.refused, 1);
  EXPECT_EQ(mbufs[2], full);
  rte_pktmbuf_free(full);
  EXPECT_THAT(frames(device_.take_sent()),
              ::testing::ElementsAre(datagram(0).vlan(100).build(), datagram(2).vlan(100).build()));
  EXPECT_EQ(port->counters().tx_packets, 2U);
}

// The rings of the device hold 1023 frames.
TEST_F(PortTest, TellsFramesThatFoundNoRoomFromThoseThatItRefuses) {
  const auto port = open({.name = "wan", .device = "", .mac = {}, .vlan = 100});
  for (int i = 0; i < 1022; ++i) {
    rte_mbuf* mbuf = mbuf_of(datagram(0).build()).release();
    ASSERT_EQ(port->transmit(kWorker, &mbuf, 1).sent, 1);
  }
  std::array<rte_mbuf*, 4> mbufs{};
  for (rte_mbuf*& mbuf : mbufs) {
    mbuf = mbuf_of(datagram(0).build()).release();
  }
  rte_mbuf* refused = mbufs[0];
  ASSERT_NE(rte_pktmbuf_prepend(refused, 127), nullptr);
  const Transmission done = port->transmit(kWorker, mbufs.data(), 4);
  EXPECT_EQ(done.sent, 1);
  EXPECT_EQ(done.refused, 1);
  EXPECT_EQ(mbufs[3], refused);
  EXPECT_EQ(port->counters().tx_packets, 1023U);
  EXPECT_EQ(port->counters().tx_bytes, 1023U * 46);
  rte_pktmbuf_free_bulk(mbufs.data() + 1, 3);
  EXPECT_THAT(device_.take_sent(), SizeIs(1023));
}

TEST_F(PortTest, SaysWhichOffloadsAreUsed) {
  const auto port = open({.name = "wan", .device = "", .mac = {}, .mtu = 9000, .vlan = 100});
  const auto words = port->ethernet().offloads_in_words();
  EXPECT_THAT(words, Contains("receive: long frames in several buffers"));
  EXPECT_THAT(words, Contains("transmit: frames of several buffers"));
  EXPECT_THAT(words, Contains("VLAN tags: put on by software"));
  EXPECT_EQ(port->ethernet().steering_in_words(), "one worker");
  EXPECT_EQ(port->ethernet().reply_steering_in_words(), "one worker");
}

// net_null neither receives nor sends frames of several buffers.
TEST_F(PortTest, OnADeviceThatTakesOneBufferSendsACopyInOne) {
  ASSERT_EQ(rte_eal_hotplug_add("vdev", "net_null_port_test", ""), 0);
  const EthernetDeviceSettings settings{
      .port = "wan", .queues = 1, .mtu = 1500, .tagged = false, .chained_frames = true};
  const Device null{DeviceKind::kPci, "null"};
  EXPECT_EQ(EthernetDevice::buffer_size(settings, null, "net_null_port_test"),
            RTE_MBUF_DEFAULT_BUF_SIZE);
  EthernetDeviceSettings jumbo = settings;
  jumbo.mtu = 9000;
  EXPECT_EQ(EthernetDevice::buffer_size(jumbo, null, "net_null_port_test"), 128 + 22 + 9000);
  {
    const auto ethernet =
        EthernetDevice::open(settings, null, "net_null_port_test", steering_, pool());
    ASSERT_TRUE(ethernet) << ethernet.error();
    EXPECT_TRUE((*ethernet)->sends_single_buffers_only());
    Port port(*ethernet, {.name = "wan", .device = "", .mac = {}}, MacAddress{}, 1);
    std::array<rte_mbuf*, 2> mbufs{mbuf_of(datagram(1400).build(), 400).release(),
                                   mbuf_of(datagram(5000).build(), 400).release()};
    // The second is longer than a buffer of the device's pool.
    const Transmission done = port.transmit(kWorker, mbufs.data(), 2);
    EXPECT_EQ(done.sent, 1);
    EXPECT_EQ(done.refused, 1);
    rte_pktmbuf_free(mbufs[1]);
  }
  rte_eal_hotplug_remove("vdev", "net_null_port_test");
}

// net_null takes the table and every type (and hashes nothing, as it receives nothing).
TEST_F(PortTest, TrustsTheHashOfADeviceThatHashesAllThatItWasTold) {
  ASSERT_EQ(rte_eal_hotplug_add("vdev", "net_null_rss_test", ""), 0);
  {
    const auto ethernet = EthernetDevice::open(
        {.port = "wan", .queues = 2, .mtu = 1500, .tagged = false, .chained_frames = false},
        Device{DeviceKind::kPci, "null"}, "net_null_rss_test", Steering{RssKey{}, 2}, pool());
    ASSERT_TRUE(ethernet) << ethernet.error();
    EXPECT_TRUE((*ethernet)->hashes_for_us());
    EXPECT_EQ((*ethernet)->steering_in_words(),
              "RSS by the NIC, with our key and indirection table");
    EXPECT_THAT((*ethernet)->offloads_in_words(), Contains("receive: RSS hash"));
  }
  rte_eal_hotplug_remove("vdev", "net_null_rss_test");
}

TEST_F(PortTest, OnADeviceThatEalDoesNotKnowIsAnError) {
  const auto port =
      Port::open({.name = "wan", .device = "", .mac = {}}, Device{DeviceKind::kPci, "0000:3b:00.0"},
                 "0000:3b:00.0", MacAddress{}, steering_, pool());
  ASSERT_FALSE(port);
  EXPECT_THAT(port.error(), HasSubstr("port \"wan\": DPDK found no device 0000:3b:00.0"));
  EXPECT_THAT(port.error(), HasSubstr("vfio-pci"));
}

}  // namespace
}  // namespace ballast
