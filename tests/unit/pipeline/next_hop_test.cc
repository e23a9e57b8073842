// The last step: the next hop's MAC, the port's state, the MTU.
#include <gtest/gtest.h>

#include "dataplane/packet/wire.h"
#include "tests/unit/pipeline/test_network.h"

namespace ballast::testing {
namespace {

class NextHops : public InBothFamilies {
 protected:
  void SetUp() override { network.use_servers("web", {1}); }

  Frame data(uint32_t number) const {
    return from_client()
        .tcp(40000, 80, kPsh | kAck)
        .sequence(1001)
        .payload(std::to_string(number))
        .build();
  }
};
BALLAST_IN_BOTH_FAMILIES(NextHops);

TEST_P(NextHops, ThatAreUnknownAreAskedForOnceASecondWhilePacketsWait) {
  network.set_neighbor(1, NeighborState::kUnknown);
  EXPECT_EQ(network.send(segment(40000, kSyn)).verdict, Verdict::kHold);
  EXPECT_EQ(network.send(data(1)).verdict, Verdict::kHold);
  NeighborIndex asked{};
  ASSERT_TRUE(network.take_request(asked));
  EXPECT_EQ(asked, network.neighbor_of(1, family.is_v4()));
  EXPECT_FALSE(network.take_request(asked));
  network.pass(kSecond);
  EXPECT_EQ(network.send(data(2)).verdict, Verdict::kHold);
  EXPECT_TRUE(network.take_request(asked));
  network.set_neighbor(1, NeighborState::kReachable);
  EXPECT_EQ(network.pass(kMillisecond).size(), 3U);
}

TEST_P(NextHops, ThatBecomeKnownGetWhatWaitedInItsOrder) {
  network.set_neighbor(1, NeighborState::kUnknown);
  std::vector<Frame> sent{segment(40000, kSyn).build()};
  for (uint32_t i = 0; i < 10; ++i) {
    sent.push_back(data(i));
  }
  for (const Frame& frame : sent) {
    EXPECT_EQ(network.send(frame).verdict, Verdict::kHold);
  }
  EXPECT_TRUE(network.pass(100 * kMillisecond).empty());
  network.set_neighbor(1, NeighborState::kReachable);
  const std::vector<Outcome> released = network.pass(kMillisecond);
  ASSERT_EQ(released.size(), sent.size());
  for (size_t i = 0; i < sent.size(); ++i) {
    EXPECT_EQ(released[i].server(), 1);
    EXPECT_EQ(released[i].out_port, kLan);
    EXPECT_EQ(Frame(released[i].frame).network_bytes(), sent[i].network_bytes());
  }
  EXPECT_EQ(network.send(data(99)).server(), 1);
}

TEST_P(NextHops, ThatFailDropWhatWaited) {
  network.set_neighbor(1, NeighborState::kUnknown);
  network.send(segment(40000, kSyn));
  network.set_neighbor(1, NeighborState::kFailed);
  const std::vector<Outcome> released = network.pass(kMillisecond);
  ASSERT_EQ(released.size(), 1U);
  EXPECT_EQ(released[0].verdict, Verdict::kDrop);
  EXPECT_EQ(released[0].reason, DropReason::kNeighborFailed);
}

TEST_P(NextHops, ThatFailedDropAndAreAskedForAgain) {
  network.set_neighbor(1, NeighborState::kFailed);
  EXPECT_EQ(network.send(segment(40000, kSyn)).reason, DropReason::kNeighborFailed);
  NeighborIndex asked{};
  EXPECT_TRUE(network.take_request(asked));
  network.set_neighbor(1, NeighborState::kReachable);
  EXPECT_EQ(network.send(segment(40000, kSyn)).server(), 1);
}

TEST_P(NextHops, ThatStayUnknownForThreeSecondsDropWhatWaited) {
  network.set_neighbor(1, NeighborState::kUnknown);
  network.send(segment(40000, kSyn));
  EXPECT_TRUE(network.pass(3 * kSecond - 1).empty());
  const std::vector<Outcome> released = network.pass(1);
  ASSERT_EQ(released.size(), 1U);
  EXPECT_EQ(released[0].reason, DropReason::kNeighborTimeout);
}

// The VIP may be another node's by the time that the MAC is known.
TEST_P(NextHops, ThatBecomeKnownAfterTheVipHasLeftDropWhatWaited) {
  const auto ask = [&](uint16_t port) {
    return network.send(packet().ip(family.client, family.leased_vip).tcp(port, 80, kSyn));
  };
  network.use_servers("web", {1});
  network.set_lease(kLeaseNeverEnds);
  network.set_neighbor(1, NeighborState::kUnknown);
  EXPECT_EQ(ask(1).verdict, Verdict::kHold);
  EXPECT_EQ(network.send(segment(2, kSyn)).verdict, Verdict::kHold);
  network.set_lease(network.now());
  network.set_neighbor(1, NeighborState::kReachable);
  std::vector<Outcome> released = network.pass(kMillisecond);
  ASSERT_EQ(released.size(), 2U);
  EXPECT_EQ(released[0].verdict, Verdict::kDrop);
  EXPECT_EQ(released[0].reason, DropReason::kVipNotOwned);
  EXPECT_EQ(released[1].server(), 1);  // to a VIP without a lease

  network.set_lease(kLeaseNeverEnds);
  network.set_neighbor(1, NeighborState::kUnknown);
  EXPECT_EQ(ask(3).verdict, Verdict::kHold);
  network.set_neighbor(1, NeighborState::kReachable);
  released = network.pass(kMillisecond);
  ASSERT_EQ(released.size(), 1U);
  EXPECT_EQ(released[0].server(), 1);
}

TEST_P(NextHops, ThatBecomeKnownAfterTheVipIsGoneDropWhatWaited) {
  network.use_servers("web", {1});
  network.set_neighbor(1, NeighborState::kUnknown);
  EXPECT_EQ(network.send(segment(1, kSyn)).verdict, Verdict::kHold);
  network.snapshot.addresses = std::make_shared<const AddressTable>(std::vector<LocalAddress>{});
  network.set_neighbor(1, NeighborState::kReachable);
  const std::vector<Outcome> released = network.pass(kMillisecond);
  ASSERT_EQ(released.size(), 1U);
  EXPECT_EQ(released[0].reason, DropReason::kVipNotOwned);
}

TEST_P(NextHops, ThatAreUnknownHoldAFewPacketsEach) {
  network.set_neighbor(1, NeighborState::kUnknown);
  for (uint16_t port = 1; port <= 100; ++port) {
    const Outcome outcome = network.send(segment(port, kSyn));
    const bool has_room = port <= WaitingRoom::kPerNeighbor;
    EXPECT_EQ(outcome.verdict, has_room ? Verdict::kHold : Verdict::kDrop);
    EXPECT_EQ(outcome.reason, has_room ? DropReason::kNone : DropReason::kNeighborQueueFull);
  }
  network.set_neighbor(2, NeighborState::kUnknown);
  network.use_servers("web", {2});  // another one has room of its own
  EXPECT_EQ(network.send(segment(101, kSyn)).verdict, Verdict::kHold);
  EXPECT_EQ(network.pass(3 * kSecond).size(), WaitingRoom::kPerNeighbor + 1);
}

TEST_P(NextHops, ThatAreThisNodeAreNeverForwardedTo) {
  network.set_neighbor(1, Neighbor{mac_address(kLanMac), NeighborState::kOurs});
  EXPECT_EQ(network.send(segment(40000, kSyn)).reason, DropReason::kNextHopOurs);
}

TEST_P(NextHops, FollowAChangedMacAtOnce) {
  network.send(segment(40000, kSyn));
  const MacAddress other = mac_address("02:00:00:00:00:a3");
  network.set_neighbor(1, Neighbor{other, NeighborState::kReachable});
  EXPECT_EQ(Frame(network.send(segment(40000, kAck)).frame).ethernet()->destination, other);
}

TEST_P(NextHops, WithoutARouteAreNotReached) {
  for (const ServerIndex server : network.servers_of("web", 1)) {
    network.snapshot.servers[index(server)].next_hop = kNoNeighbor;
  }
  EXPECT_EQ(network.send(segment(40000, kSyn)).reason, DropReason::kNoRoute);
}

TEST_P(NextHops, BehindAPortThatIsDownAreNotReached) {
  network.snapshot.ports[1].up = false;
  EXPECT_EQ(network.send(segment(40000, kSyn)).reason, DropReason::kPortDown);
  network.set_neighbor(1, NeighborState::kUnknown);
  EXPECT_EQ(network.send(segment(40000, kSyn)).reason, DropReason::kPortDown);
  network.snapshot.ports[1].up = true;
  EXPECT_EQ(network.send(segment(40000, kSyn)).verdict, Verdict::kHold);
  network.snapshot.ports[1].up = false;
  network.set_neighbor(1, NeighborState::kReachable);
  EXPECT_EQ(network.pass(kMillisecond).at(0).reason, DropReason::kPortDown);
}

TEST_P(NextHops, BehindASmallerMtuAnswerThatThePacketIsTooBig) {
  network.snapshot.ports[1].mtu = 1400;
  network.send(segment(40000, kSyn));
  const Frame big = from_client()
                        .tcp(40000, 80, kAck)
                        .sequence(1001)
                        .dont_fragment()
                        .payload(Bytes(1381, 'x'))
                        .build();
  const Outcome outcome = network.send(big);
  EXPECT_EQ(outcome.reason, DropReason::kTooBig);
  ASSERT_EQ(outcome.verdict, Verdict::kTransmit);
  EXPECT_EQ(outcome.out_port, kWan);
  Frame error = outcome.frame;
  EXPECT_EQ(error.wrong_checksum(), "");
  EXPECT_EQ(error.ethernet()->destination, mac_address(kClientMac));
  ASSERT_NE(error.icmp(), nullptr);
  if (family.is_v4()) {
    EXPECT_EQ(error.icmp()->type, kIcmpDestinationUnreachable);
    EXPECT_EQ(error.icmp()->code, kIcmpFragmentationNeeded);
    EXPECT_EQ(error.icmp()->rest, mtu(1400));
  } else {
    EXPECT_EQ(error.icmp()->type, kIcmpv6PacketTooBig);
    EXPECT_EQ(error.icmp()->rest, mtu_v6(1400));
  }
  const Bytes quoted = error.payload();
  const Bytes original = big.network_bytes();
  EXPECT_TRUE(std::equal(quoted.begin(), quoted.end(), original.begin()));
}

TEST_P(NextHops, ThatAreUnknownAtTheEndGiveAllBuffersBack) {
  network.set_neighbor(1, NeighborState::kUnknown);
  network.send(segment(40000, kSyn));
  network.send(data(1));
  EXPECT_EQ(network.drain().size(), 2U);
}

}  // namespace
}  // namespace ballast::testing
