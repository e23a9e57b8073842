// Which server a packet of a known, a closing, an unknown or an orphaned connection goes to.
#include <gtest/gtest.h>

#include "dataplane/packet/wire.h"
#include "tests/unit/pipeline/test_network.h"

namespace ballast::testing {
namespace {

class Connections : public InBothFamilies {
 protected:
  // SYN and ACK: a trusted connection in ESTABLISHED.
  int establish(uint16_t client_port) {
    const int server = network.send(segment(client_port, kSyn)).server();
    EXPECT_EQ(network.send(segment(client_port, kAck)).server(), server);
    return server;
  }
  // As the world does it: out of the scheduler, and its connections are to be ended.
  void disable(int number) {
    for (const ServerIndex server : network.servers_of("web", number)) {
      network.snapshot.servers[index(server)].accepts_connections = false;
    }
    use_all_but(number);
  }
  void use_all_but(int number) {
    std::vector<int> others{1, 2, 3};
    std::erase(others, number);
    network.use_servers("web", others);
  }
};
BALLAST_IN_BOTH_FAMILIES(Connections);

TEST_P(Connections, StickToTheirServer) {
  for (uint16_t port = 1; port <= 20; ++port) {
    const int server = establish(port);
    ASSERT_NE(server, 0);
    for (int i = 0; i < 5; ++i) {
      EXPECT_EQ(network.send(segment(port, kPsh | kAck).payload("GET /")).server(), server);
    }
  }
}

TEST_P(Connections, StickToTheirServerWhenItGetsNoMoreNewOnes) {
  const int server = establish(40000);
  use_all_but(server);
  EXPECT_EQ(network.send(segment(40000, kAck)).server(), server);
  for (uint16_t port = 1; port <= 20; ++port) {
    EXPECT_NE(network.send(segment(port, kSyn)).server(), server);
  }
}

TEST_P(Connections, OfUdpStickToTheirServerAndAreTrustedFromTheSecondDatagram) {
  const auto query = from_client().udp(5353, 53).payload("query");
  const int server = network.send(query).server();
  const Connection* connection = network.connection(flow(5353, 53, IpProtocol::kUdp));
  ASSERT_NE(connection, nullptr);
  EXPECT_FALSE(connection->trusted);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(network.send(query).server(), server);
  }
  EXPECT_TRUE(connection->trusted);
}

TEST_P(Connections, AreScheduledAnewByASynWhenClosing) {
  const int server = establish(40000);
  network.send(segment(40000, kFin | kAck));
  EXPECT_EQ(network.send(segment(40000, kAck)).server(), server);  // the last of the old one
  use_all_but(server);
  const int other = network.send(segment(40000, kSyn)).server();
  EXPECT_NE(other, 0);
  EXPECT_NE(other, server);
  EXPECT_EQ(network.connections().size(), 1U);
  EXPECT_FALSE(network.connection(flow(40000))->trusted);
}

TEST_P(Connections, AreNotTouchedByASynWhenEstablished) {
  const int server = establish(40000);
  use_all_but(server);
  EXPECT_EQ(network.send(segment(40000, kSyn)).server(), server);
  EXPECT_EQ(network.connection(flow(40000))->state, ConnectionState::kEstablished);
}

TEST_P(Connections, AreTrustedOnlyWhenTheSequenceGoesOn) {
  network.send(segment(40000, kSyn));
  network.send(from_client().tcp(40000, 80, kAck).sequence(0x7fffffff));
  EXPECT_FALSE(network.connection(flow(40000))->trusted);
  network.send(from_client().tcp(40000, 80, kAck).sequence(1000));  // before the SYN's end
  EXPECT_FALSE(network.connection(flow(40000))->trusted);
  network.send(from_client().tcp(40000, 80, kAck).sequence(1001));
  EXPECT_TRUE(network.connection(flow(40000))->trusted);
}

TEST_P(Connections, FollowTheSynThatIsSentAgainWithAnotherSequence) {
  network.send(segment(40000, kSyn));
  network.send(from_client().tcp(40000, 80, kSyn).sequence(0xfffffff0));
  network.send(from_client().tcp(40000, 80, kAck).sequence(3));  // behind the wrap
  EXPECT_TRUE(network.connection(flow(40000))->trusted);
}

TEST_P(Connections, AreForgottenAfterTheirTimeout) {
  establish(40000);
  network.pass(899 * kSecond);
  EXPECT_EQ(network.connections().size(), 1U);
  network.pass(1 * kSecond);
  EXPECT_EQ(network.connections().size(), 0U);
  EXPECT_EQ(network.counters().expired.read(), 1U);
  EXPECT_EQ(network.send(segment(40000, kAck)).reason, DropReason::kNotSyn);
}

TEST_P(Connections, LiveAsLongAsPacketsCome) {
  const int server = establish(40000);
  for (int i = 0; i < 5; ++i) {
    network.pass(800 * kSecond);
    EXPECT_EQ(network.send(segment(40000, kAck)).server(), server);
  }
}

TEST_P(Connections, FollowTheTimeoutsOfTheirService) {
  network.service("web").timeouts.seconds[static_cast<size_t>(ConnectionState::kEstablished)] = 7;
  establish(40000);
  network.pass(7 * kSecond);
  EXPECT_EQ(network.connections().size(), 0U);
}

// ---- segments of no connection

TEST_P(Connections, ThatAreUnknownAreResetFromTheAcknowledgment) {
  const Outcome outcome =
      network.send(from_client().tcp(40000, 80, kAck).sequence(7, 4711).payload("data"));
  EXPECT_EQ(outcome.reason, DropReason::kNotSyn);
  ASSERT_EQ(outcome.verdict, Verdict::kTransmit);
  EXPECT_EQ(outcome.out_port, kWan);
  Frame reset = outcome.frame;
  EXPECT_EQ(reset.wrong_checksum(), "");
  EXPECT_EQ(reset.ethernet()->destination, mac_address(kClientMac));
  EXPECT_EQ(reset.ethernet()->source, mac_address(kBalancerMac));
  ASSERT_NE(reset.tcp(), nullptr);
  EXPECT_EQ(reset.tcp()->flags, kRst);
  EXPECT_EQ(reset.tcp()->sequence.to_host(), 4711U);
  EXPECT_EQ(reset.tcp()->destination_port.to_host(), 40000);
  EXPECT_EQ(network.connections().size(), 0U);
}

TEST_P(Connections, ThatAreUnknownAreDroppedSilentlyWhenConfigured) {
  network.service("web").on_no_server = RefuseAction::kDrop;
  const Outcome outcome = network.send(segment(40000, kAck));
  EXPECT_EQ(outcome.verdict, Verdict::kDrop);
  EXPECT_EQ(outcome.reason, DropReason::kNotSyn);
}

TEST_P(Connections, ThatAreUnknownNeverGetAResetForAReset) {
  EXPECT_EQ(network.send(segment(40000, kRst)).verdict, Verdict::kDrop);
  EXPECT_EQ(network.send(segment(40000, kRst | kAck)).verdict, Verdict::kDrop);
}

TEST_P(Connections, ThatAreUnknownAreOpenedByAnySegmentButAResetUnderSloppyTcp) {
  network.service("web").sloppy_tcp = true;
  EXPECT_EQ(network.send(segment(40000, kRst | kAck)).reason, DropReason::kNotSyn);
  EXPECT_NE(network.send(segment(40000, kPsh | kAck)).server(), 0);
  EXPECT_EQ(network.connection(flow(40000))->state, ConnectionState::kEstablished);
}

// ---- servers that are disabled or removed

TEST_P(Connections, OfADisabledServerGoOnWhenTheyAreKept) {
  network.service("web").on_server_down = OnServerDown::kKeep;
  const int server = establish(40000);
  disable(server);
  EXPECT_EQ(network.send(segment(40000, kAck)).server(), server);
}

TEST_P(Connections, OfADisabledServerAreResetWhenConfigured) {
  network.service("web").on_server_down = OnServerDown::kReset;
  const int server = establish(40000);
  disable(server);
  const Outcome outcome = network.send(segment(40000, kAck).sequence(1001, 99));
  EXPECT_EQ(outcome.reason, DropReason::kServerGone);
  ASSERT_EQ(outcome.verdict, Verdict::kTransmit);
  EXPECT_EQ(Frame(outcome.frame).tcp()->flags, kRst);
  EXPECT_EQ(network.connections().size(), 0U);
  EXPECT_EQ(network.active_connections(network.servers_of("web", server)[family.is_v4() ? 0 : 1]),
            0U);
  EXPECT_NE(network.send(segment(40000, kSyn)).server(), 0);
}

TEST_P(Connections, OfADisabledServerAreScheduledAnewWhenConfigured) {
  network.service("web").on_server_down = OnServerDown::kReschedule;
  network.service("web").sloppy_tcp = true;
  const int server = establish(40000);
  disable(server);
  const int other = network.send(segment(40000, kAck)).server();
  EXPECT_NE(other, 0);
  EXPECT_NE(other, server);
  EXPECT_EQ(network.send(segment(40000, kAck)).server(), other);
  EXPECT_EQ(network.connections().size(), 1U);
}

TEST_P(Connections, ThatAreScheduledAnewInTheMiddleOfTcpAreResetUnlessSloppy) {
  network.service("web").on_server_down = OnServerDown::kReschedule;
  disable(establish(40000));
  EXPECT_EQ(network.send(segment(40000, kAck)).reason, DropReason::kNotSyn);
  EXPECT_EQ(network.connections().size(), 0U);
}

TEST_P(Connections, OfUdpAreScheduledAnewWithoutANoticeableBreak) {
  network.service("dns").on_server_down = OnServerDown::kReschedule;
  const auto query = from_client().udp(5353, 53).payload("query");
  const int server = network.send(query).server();
  for (const ServerIndex each : network.servers_of("dns", server)) {
    network.snapshot.servers[index(each)].accepts_connections = false;
  }
  std::vector<int> others{1, 2, 3};
  std::erase(others, server);
  network.use_servers("dns", others);
  const int other = network.send(query).server();
  EXPECT_NE(other, 0);
  EXPECT_NE(other, server);
}

TEST_P(Connections, OfAServiceThatIsGoneAreReset) {
  const int server = establish(40000);
  for (const ServerIndex each : network.servers_of("web", server)) {
    network.snapshot.servers[index(each)].accepts_connections = false;
    network.snapshot.servers[index(each)].service = nullptr;
  }
  const Outcome outcome = network.send(segment(40000, kAck));
  EXPECT_EQ(outcome.reason, DropReason::kServerGone);
  EXPECT_EQ(outcome.verdict, Verdict::kTransmit);
  EXPECT_EQ(network.connections().size(), 0U);
}

// ---- ICMP errors about what the server sent

TEST_P(Connections, GetTheIcmpErrorsAboutThem) {
  const int server = establish(40000);
  const Frame answer =
      packet().ip(family.vip, family.client).tcp(80, 40000, kAck).payload("page").build();
  const auto error = [&](const Frame& about) {
    return family.is_v4() ? packet()
                                .ip(family.router, family.vip)
                                .icmp_error(kIcmpDestinationUnreachable, kIcmpFragmentationNeeded,
                                            about, mtu(1400))
                          : packet()
                                .ip(family.router, family.vip)
                                .icmp_error(kIcmpv6PacketTooBig, 0, about, mtu_v6(1400));
  };
  const Frame sent = error(answer).build();
  const Outcome outcome = network.send(sent);
  EXPECT_EQ(outcome.server(), server);
  EXPECT_EQ(Frame(outcome.frame).network_bytes(), Frame(sent).network_bytes());
  const Frame stranger =
      packet().ip(family.vip, family.client).tcp(80, 40001, kAck).payload("page").build();
  EXPECT_EQ(network.send(error(stranger)).reason, DropReason::kIcmpUnmatched);
  EXPECT_EQ(network.connections().size(), 1U);
}

}  // namespace
}  // namespace ballast::testing
