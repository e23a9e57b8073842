#include "dataplane/dpdk/vlan.h"

#include <gmock/gmock.h>
#include <rte_ether.h>

#include "tests/unit/dpdk/eal_fixture.h"

namespace ballast {
namespace {

using test::Frame;
using test::Mbuf;
using testing::packet;
using testing::PacketBuilder;

constexpr PortIndex kUntagged{0};
constexpr PortIndex kWan{1};
constexpr PortIndex kLan{2};

PacketBuilder segment() {
  return packet().ip("198.51.100.7", "192.0.2.10").tcp(40000, 80, kSyn);
}

class VlanTest : public test::EalTest {
 protected:
  VlanTest() {
    ports_.add(0, kUntagged);
    ports_.add(100, kWan);
    ports_.add(4094, kLan);
  }

  // As a device leaves it that takes tags off.
  static Mbuf stripped(const PacketBuilder& builder, uint16_t control) {
    Mbuf mbuf = mbuf_of(builder.build());
    mbuf->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
    mbuf->vlan_tci = control;
    return mbuf;
  }

  VlanPorts ports_;
};

TEST_F(VlanTest, GivesTheFrameToThePortOfItsTagAndTakesTheTagOff) {
  for (const auto& [vlan, port] : {std::pair(100, kWan), std::pair(4094, kLan)}) {
    const Mbuf mbuf = mbuf_of(segment().vlan(static_cast<uint16_t>(vlan)).build(), 300);
    EXPECT_EQ(ports_.take_in(*mbuf), port);
    EXPECT_EQ(frame_of(*mbuf), segment().build());
    EXPECT_EQ(mbuf->ol_flags & (RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED), 0U);
  }
}

TEST_F(VlanTest, IsTheSameWhereTheDeviceTookTheTagOff) {
  for (const uint16_t priority : {uint16_t{0}, uint16_t{0xe000}}) {
    const Mbuf mbuf = stripped(segment(), static_cast<uint16_t>(priority | 100));
    EXPECT_EQ(ports_.take_in(*mbuf), kWan);
    EXPECT_EQ(frame_of(*mbuf), segment().build());
    EXPECT_EQ(mbuf->ol_flags & (RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED), 0U);
    EXPECT_EQ(ports_.take_in(*mbuf), kUntagged);  // nothing of the tag is left
  }
}

TEST_F(VlanTest, LeavesUntaggedAndPriorityTaggedFramesToTheUntaggedPort) {
  for (const Frame& frame :
       {segment().build(), segment().vlan(0).build(), segment().vlan(0xe000).build()}) {
    const Mbuf mbuf = mbuf_of(frame);
    EXPECT_EQ(ports_.take_in(*mbuf), kUntagged);
    EXPECT_EQ(frame_of(*mbuf), frame);
  }
  const Mbuf mbuf = stripped(segment(), 0xe000);
  EXPECT_EQ(ports_.take_in(*mbuf), kUntagged);
}

TEST_F(VlanTest, KnowsNoPortForAnyOtherTag) {
  for (const Frame& frame :
       {segment().vlan(7).build(), segment().vlan(4095).build(), segment().vlan(100, true).build(),
        segment().vlan(7).vlan(100).build(), segment().vlan(100).build().truncated(17),
        segment().build().truncated(13)}) {
    const Mbuf mbuf = mbuf_of(frame);
    EXPECT_EQ(ports_.take_in(*mbuf), std::nullopt);
    EXPECT_EQ(frame_of(*mbuf), frame);
  }
  VlanPorts tagged_only;
  tagged_only.add(100, kWan);
  for (const Frame& frame : {segment().build(), segment().vlan(0).build()}) {
    const Mbuf mbuf = mbuf_of(frame);
    EXPECT_EQ(tagged_only.take_in(*mbuf), std::nullopt);
  }
}

TEST_F(VlanTest, TakesTheOuterTagOnly) {
  const Mbuf mbuf = mbuf_of(segment().vlan(100).vlan(7).build());
  EXPECT_EQ(ports_.take_in(*mbuf), kWan);
  EXPECT_EQ(frame_of(*mbuf), segment().vlan(7).build());
}

TEST_F(VlanTest, PutsTheTagOnBySoftwareAsADeviceWould) {
  const Frame tagged = segment().payload(test::Bytes(1448)).vlan(100).build();
  for (const VlanInsertion insertion : {VlanInsertion::kBySoftware, VlanInsertion::kByDevice}) {
    const Mbuf mbuf = mbuf_of(segment().payload(test::Bytes(1448)).build(), 700);
    ASSERT_TRUE(put_tag_on(*mbuf, 100, insertion));
    if (insertion == VlanInsertion::kByDevice) {
      ASSERT_NE(mbuf->ol_flags & RTE_MBUF_F_TX_VLAN, 0U);
      rte_mbuf* same = mbuf.get();
      ASSERT_EQ(rte_vlan_insert(&same), 0);  // what drivers without the offload in hardware do
    }
    EXPECT_EQ(mbuf->ol_flags & RTE_MBUF_F_TX_VLAN, 0U);
    EXPECT_EQ(frame_of(*mbuf), tagged);
  }
}

TEST_F(VlanTest, CountsTheTagAmongTheBytesOnTheWireWhoeverTakesItOffOrPutsItOn) {
  const auto untagged = static_cast<uint32_t>(segment().build().size());
  EXPECT_EQ(length_on_wire(*mbuf_of(segment().build())), untagged);
  EXPECT_EQ(length_on_wire(*mbuf_of(segment().vlan(100).build())), untagged + 4);
  EXPECT_EQ(length_on_wire(*stripped(segment(), 100)), untagged + 4);
  EXPECT_EQ(length_on_wire(*stripped(segment(), 0)), untagged + 4);
  for (const VlanInsertion insertion : {VlanInsertion::kBySoftware, VlanInsertion::kByDevice}) {
    const Mbuf mbuf = stripped(segment(), 100);  // forwarded as it came
    ASSERT_EQ(ports_.take_in(*mbuf), kWan);
    ASSERT_TRUE(put_tag_on(*mbuf, 200, insertion));
    EXPECT_EQ(length_on_wire(*mbuf), untagged + 4);
    if (insertion == VlanInsertion::kByDevice) {
      rte_mbuf* same = mbuf.get();
      ASSERT_EQ(rte_vlan_insert(&same), 0);  // in rte_eth_tx_prepare()
      EXPECT_EQ(length_on_wire(*mbuf), untagged + 4);
    }
  }
}

TEST_F(VlanTest, SaysWhenThereIsNoRoomForTheTag) {
  const Mbuf mbuf = mbuf_of(segment().build());
  ASSERT_NE(rte_pktmbuf_prepend(mbuf.get(), 126), nullptr);
  EXPECT_FALSE(put_tag_on(*mbuf, 100, VlanInsertion::kBySoftware));
  ASSERT_NE(rte_pktmbuf_adj(mbuf.get(), 2), nullptr);
  EXPECT_TRUE(put_tag_on(*mbuf, 100, VlanInsertion::kBySoftware));
}

}  // namespace
}  // namespace ballast
