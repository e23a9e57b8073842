// What a DR service forwards: the packet as it came, to a server's MAC.
#include <gtest/gtest.h>

#include "tests/unit/pipeline/test_network.h"

namespace ballast::testing {
namespace {

class DirectRouting : public InBothFamilies {
 protected:
  // All bytes behind the two MACs are as they came, and the MACs are the port's and the server's.
  void expect_only_macs_changed(const Frame& sent) {
    const Outcome outcome = network.send(sent);
    ASSERT_EQ(outcome.verdict, Verdict::kTransmit) << ::testing::PrintToString(outcome);
    EXPECT_NE(outcome.server(), 0) << ::testing::PrintToString(outcome);
    EXPECT_EQ(outcome.out_port, kLan);
    Frame left = outcome.frame;
    EXPECT_EQ(left.ethernet()->source, mac_address(kLanMac));
    left.ethernet()->source = Frame(sent).ethernet()->source;
    left.ethernet()->destination = Frame(sent).ethernet()->destination;
    EXPECT_EQ(left, sent);
  }
};
BALLAST_IN_BOTH_FAMILIES(DirectRouting);

TEST_P(DirectRouting, ChangesNothingButTheMacsOfASyn) {
  expect_only_macs_changed(segment(40000, kSyn).ttl(1).tcp_options({2, 4, 5, 0xb4}).build());
}

TEST_P(DirectRouting, ChangesNothingButTheMacsOfADatagram) {
  expect_only_macs_changed(from_client().udp(5353, 53).traffic_class(0xb8).payload("q").build());
}

TEST_P(DirectRouting, ForwardsTheShortestPacketAndItsEthernetPadding) {
  expect_only_macs_changed(from_client().udp(5353, 53).build());
  expect_only_macs_changed(segment(40000, kSyn).pad_to(90).build());
}

TEST_P(DirectRouting, ForwardsAPacketOfExactlyTheMtu) {
  const size_t headers = (family.is_v4() ? 20U : 40U) + 8U;
  expect_only_macs_changed(from_client().udp(5353, 53).payload(Bytes(1500 - headers, 'x')).build());
}

TEST_P(DirectRouting, ForwardsAPriorityTag) {
  expect_only_macs_changed(segment(40000, kSyn).vlan(0).build());
}

TEST_P(DirectRouting, ForwardsUdpWithoutAChecksumAndTcpWithAWrongOne) {
  expect_only_macs_changed(from_client().udp(5353, 53).udp_without_checksum().build());
  Frame broken = segment(40000, kSyn).build();
  broken.tcp()->checksum = Big16::from_host(0xdead);
  expect_only_macs_changed(broken);
}

TEST_P(DirectRouting, ForwardsWhatIsBehindIpOptionsAndExtensionHeaders) {
  if (family.is_v4()) {
    expect_only_macs_changed(segment(40000, kSyn).ipv4_options({1, 148, 4, 0, 0}).build());
  } else {
    expect_only_macs_changed(from_client()
                                 .extension(IpProtocol::kHopByHop, {5, 2, 0, 0})
                                 .extension(IpProtocol::kDestinationOptions, {1, 12})
                                 .fragment_header()
                                 .tcp(40000, 80, kSyn)
                                 .build());
  }
}

TEST_P(DirectRouting, GivesEachServerItsTurnUnderRoundRobin) {
  std::map<int, int> turns;
  for (uint16_t port = 1; port <= 30; ++port) {
    ++turns[network.send(segment(port, kSyn)).server()];
  }
  EXPECT_EQ(turns, (std::map<int, int>{{1, 10}, {2, 10}, {3, 10}}));
}

TEST_P(DirectRouting, SharesByWeightUnderWeightedRoundRobin) {
  std::map<int, int> turns;
  for (uint16_t port = 1; port <= 70; ++port) {
    ++turns[network.send(segment(port, kSyn, 8080)).server()];
  }
  EXPECT_EQ(turns, (std::map<int, int>{{1, 50}, {2, 10}, {3, 10}}));
}

TEST_P(DirectRouting, DecidesAWholeBurstAsItWouldEachPacket) {
  std::vector<Frame> burst;
  for (uint16_t i = 0; i < Pipeline::kMaxBurst; ++i) {
    // Four packets of each of sixteen flows: the first opens it within the burst.
    burst.push_back(segment(static_cast<uint16_t>(1000 + i % 16), i < 16 ? kSyn : kAck).build());
  }
  const std::vector<Outcome> outcomes = network.send_burst(burst);
  for (size_t i = 0; i < outcomes.size(); ++i) {
    EXPECT_NE(outcomes[i].server(), 0) << i;
    EXPECT_EQ(outcomes[i].server(), outcomes[i % 16].server()) << i;
  }
  EXPECT_EQ(network.connections().size(), 16U);
}

TEST_P(DirectRouting, ForwardsForAVipWithAVirtualMac) {
  const auto syn = packet().ip(family.client, family.leased_vip).tcp(40000, 80, kSyn);
  EXPECT_NE(network.send(PacketBuilder(syn).ethernet(kClientMac, kVirtualMac)).server(), 0);
  EXPECT_NE(network.send(syn).server(), 0);  // to the port's own, as a static route has it
}

}  // namespace
}  // namespace ballast::testing
