// What a server's packet must be to be taken for a reply: who may send it, by which MAC, while
// which addresses are held; and what becomes of those that are no known connection's.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/unit/pipeline/notes.h"
#include "tests/unit/pipeline/test_modes.h"

namespace ballast::testing {
namespace {

class Replies : public InMode {
 protected:
  [[nodiscard]] PacketBuilder by(std::string_view mac) const {
    return talk.reply().ethernet(mac_of_server(talk.server()), mac);
  }
  [[nodiscard]] std::string forwarded(std::string_view vip) const {
    return fmt::format("wan, wan > client: {}:{} > client:40000 {}", vip, settings().port,
                       talk.is_tcp() ? "tcp . ttl 63" : "udp ttl 63 \"response\"");
  }
};
BALLAST_IN_MODES(Replies, {"nat-web", "nat-dns", "full-web", "full-dns"});

TEST_P(Replies, AreTakenByThePortsMacAndByTheVirtualMacOfAGatewayThatIsHeld) {
  talk.establish();
  EXPECT_EQ(note(talk.answer(by(kLanMac))), forwarded("vip"));
  EXPECT_EQ(note(talk.answer(by(kVirtualGatewayMac))), forwarded("vip"));
  EXPECT_EQ(note(talk.answer(by("02:00:00:00:00:77"))), "dropped: not_for_us");
  network.set_lease(0);
  EXPECT_EQ(note(talk.answer(by(kLanMac))), forwarded("vip"));  // of the VIP without VRRP
  EXPECT_EQ(note(talk.answer(by(kVirtualGatewayMac))), "dropped: not_for_us");
}

TEST_P(Replies, AreNotTakenFromMulticastFrames) {
  talk.establish();
  EXPECT_NE(talk.answer(by("01:00:5e:00:00:01")).verdict, Verdict::kTransmit);
  EXPECT_NE(talk.answer(by("ff:ff:ff:ff:ff:ff")).verdict, Verdict::kTransmit);
}

TEST_P(Replies, OfAVipAreForwardedOnlyWhileItIsHeld) {
  talk.vip(family.leased_vip).establish();
  EXPECT_EQ(note(talk.answer()), forwarded("leased-vip"));
  network.set_lease(0);
  EXPECT_EQ(note(talk.answer()), "dropped: vip_not_owned");
  network.set_lease(network.now() + kSecond, 0);  // held to forward, not to answer
  EXPECT_EQ(note(talk.answer()), forwarded("leased-vip"));
  network.pass(2 * kSecond);
  EXPECT_EQ(note(talk.answer()), "dropped: vip_not_owned");
}

TEST_P(Replies, AreAmidABurstWhatTheyAreAlone) {
  talk.establish();
  Talk other(network, family, GetParam().service, 40001);
  other.vip(family.leased_vip).establish();
  network.set_lease(0);
  std::vector<Frame> burst;
  for (int i = 0; i < 8; ++i) {
    burst.push_back(talk.reply().build());
    burst.push_back(other.reply().build());
    burst.push_back(
        talk.reply().ethernet(mac_of_server(talk.server()), kVirtualGatewayMac).build());
    burst.push_back(talk.request().ethernet(kClientMac, kLanMac).build());
    burst.push_back(
        talk.reply().ip(ip_address(talk.server_address()), ip_address(family.node)).build());
  }
  const std::vector<Outcome> outcomes = network.send_burst(burst, {.port = kLan});
  for (size_t i = 0; i < outcomes.size(); i += 5) {
    EXPECT_EQ(note(outcomes[i]), forwarded("vip"));
    EXPECT_EQ(note(outcomes[i + 1]), "dropped: vip_not_owned");
    EXPECT_EQ(note(outcomes[i + 2]), "dropped: not_for_us");
    EXPECT_EQ(outcomes[i + 3].server(), talk.server());
    EXPECT_EQ(outcomes[i + 4].verdict, Verdict::kKernel);
  }
}

TEST_P(Replies, OfAnUnknownConnectionAreNotForwarded) {
  talk.establish();
  const auto other_port = talk.is_tcp() ? talk.reply().tcp(talk.server_port(), 7, kAck)
                                        : talk.reply().udp(talk.server_port(), 7);
  const auto from_other_port = talk.is_tcp() ? talk.reply().tcp(7, talk.peer_port(), kAck)
                                             : talk.reply().udp(7, talk.peer_port());
  for (const PacketBuilder& each : {other_port, from_other_port}) {
    EXPECT_EQ(talk.answer(each).reason, DropReason::kReplyUnmatched);
  }
  EXPECT_EQ(network.connections().size(), 1U);
}

// The other protocol under the same numbers is another connection.
TEST_P(Replies, OfAnotherProtocolAreNotTheConnections) {
  talk.establish();
  const auto other = talk.is_tcp() ? talk.reply().udp(talk.server_port(), talk.peer_port())
                                   : talk.reply().tcp(talk.server_port(), talk.peer_port(), kAck);
  EXPECT_EQ(talk.answer(other).reason, DropReason::kReplyUnmatched);
}

// ---- when its server is disabled

TEST_P(Replies, OfADisabledServerGoOnWhenConnectionsAreKept) {
  talk.establish();
  service().on_server_down = OnServerDown::kKeep;
  network.server(talk.server_index()).accepts_connections = false;
  EXPECT_EQ(note(talk.answer()), forwarded("vip"));
  EXPECT_EQ(talk.ask().server(), talk.server());
}

TEST_P(Replies, OfADisabledServerEndWhenConnectionsAreReset) {
  talk.establish();
  service().on_server_down = OnServerDown::kReset;
  network.server(talk.server_index()).accepts_connections = false;
  EXPECT_EQ(note(talk.answer()), "dropped: server_gone");
  // The client hears it with its next packet.
  const std::string said = note(talk.ask());
  EXPECT_EQ(said, talk.is_tcp()
                      ? fmt::format("answered server_gone: wan, wan > client: vip:{} > "
                                    "client:40000 tcp R ttl 64",
                                    settings().port)
                      : fmt::format("answered server_gone: wan, wan > client: vip > client icmp "
                                    "port-unreachable ttl 64 {{ client:40000 > vip:{} udp ttl 64 "
                                    "\"query\" }}",
                                    settings().port));
  EXPECT_EQ(network.connections().size(), 0U);
  EXPECT_EQ(talk.answer().reason, DropReason::kReplyUnmatched);
}

TEST_P(Replies, OfADisabledServerEndWhenConnectionsAreScheduledAnew) {
  talk.establish();
  service().on_server_down = OnServerDown::kReschedule;
  service().sloppy_tcp = true;
  network.server(talk.server_index()).accepts_connections = false;
  std::vector<int> others{1, 2, 3};
  std::erase(others, talk.server());
  use_servers(others);
  EXPECT_EQ(note(talk.answer()), "dropped: server_gone");
  const Talk former = talk;
  const Outcome outcome = talk.open();
  EXPECT_NE(talk.server(), former.server());
  EXPECT_EQ(outcome.verdict, Verdict::kTransmit);
  EXPECT_EQ(network.connections().size(), 1U);
  EXPECT_EQ(network.send(former.reply().build(), {.port = kLan}).reason,
            DropReason::kReplyUnmatched);
  EXPECT_EQ(note(talk.answer()), forwarded("vip"));
}

// As the world does it: the server's number is free, its connections end.
TEST_P(Replies, OfARemovedServiceEnd) {
  talk.establish();
  network.change_servers(GetParam().service, [](RealServer& each) {
    each.accepts_connections = false;
    each.service = nullptr;
  });
  EXPECT_EQ(note(talk.answer()), "dropped: server_gone");
  EXPECT_EQ(talk.ask().reason, DropReason::kServerGone);
  EXPECT_EQ(network.connections().size(), 0U);
}

// ---------------------------------------------------------------- what else servers send, in NAT

class FromServers : public InMode {
 protected:
  FromServers() { talk.assume_server(1); }
  void route(std::string_view prefix) {
    network.snapshot.routed_networks = {*Prefix::parse(prefix)};
  }
  [[nodiscard]] std::string prefix_of_servers() const {
    return family.is_v4() ? "10.0.0.0/24" : "2001:db8:a::/64";
  }
};
BALLAST_IN_MODES(FromServers, {"nat-web", "nat-dns"});

TEST_P(FromServers, AnUnknownReplyIsDropped) {
  EXPECT_EQ(note(talk.answer()), "dropped: reply_unmatched");
}

TEST_P(FromServers, WhatIsNoReplyIsTransit) {
  const auto ping = packet()
                        .ethernet(mac_of_server(1), kLanMac)
                        .ip(talk.server_address(), family.client)
                        .echo_request(1, 1);
  EXPECT_EQ(note(talk.answer(ping)), "dropped: transit");
  const auto stranger =
      packet().ethernet(mac_of_server(1), kLanMac).ip(family.far_client, family.client).udp(1, 2);
  EXPECT_EQ(note(talk.answer(stranger)), "dropped: transit");
}

// With the destination MAC of the port, which is the kernel twin's, whatever MAC it was sent to.
TEST_P(FromServers, WhatIsFromARoutedNetworkGoesToTheKernel) {
  route(prefix_of_servers());
  const auto ping = packet()
                        .ethernet(mac_of_server(1), kVirtualGatewayMac)
                        .ip(talk.server_address(), family.client)
                        .echo_request(1, 1);
  EXPECT_EQ(note(talk.answer(ping)),
            "kernel: server1 > lan: server1 > client icmp echo-request ttl 64");
  EXPECT_EQ(note(talk.answer(talk.reply(kSyn).ethernet(mac_of_server(1), kVirtualGatewayMac))),
            fmt::format("kernel: server1 > lan: server1:{} > client:40000 {}", talk.server_port(),
                        talk.is_tcp() ? "tcp S ttl 64" : "udp ttl 64 \"response\""));
}

// No first fragment will ever say where these belong.
TEST_P(FromServers, LaterFragmentsWithoutPortsGoWhereTheFirstOneGoes) {
  const auto of_a_ping = packet()
                             .ethernet(mac_of_server(1), kLanMac)
                             .ip(talk.server_address(), family.client)
                             .echo_request(1, 1)
                             .payload(Bytes(64, 'x'));
  const auto later = PacketBuilder(of_a_ping).fragment(24, 24, false);
  EXPECT_EQ(talk.answer(later).reason, DropReason::kTransit);
  route(prefix_of_servers());
  EXPECT_EQ(talk.answer(PacketBuilder(of_a_ping).fragment(0, 24, true)).verdict, Verdict::kKernel);
  EXPECT_EQ(talk.answer(later).verdict, Verdict::kKernel);
}

TEST_P(FromServers, WhatIsToARoutedNetworkGoesToTheKernel) {
  route(prefix_of_servers());
  const auto to_server = packet().ip(family.client, talk.server_address()).tcp(1, 22, kSyn);
  EXPECT_EQ(note(network.send(to_server)),
            "kernel: client > wan: client:1 > server1:22 tcp S ttl 64");
  const auto to_nobody = packet().ip(family.client, family.far_client).tcp(1, 22, kSyn);
  EXPECT_EQ(note(network.send(to_nobody)), "dropped: transit");
}

TEST_P(FromServers, ErrorsThatAreNoConnectionsGoToTheKernelWhereItRoutes) {
  const auto error =
      packet()
          .ethernet(mac_of_server(1), kLanMac)
          .ip(talk.server_address(), family.client)
          .icmp_error(family.is_v4() ? kIcmpDestinationUnreachable : kIcmpv6DestinationUnreachable,
                      family.is_v4() ? kIcmpPortUnreachable : kIcmpv6PortUnreachable,
                      packet().ip(family.client, talk.server_address()).udp(7, 7).build());
  EXPECT_EQ(note(talk.answer(error)), "dropped: icmp_unmatched");
  route(prefix_of_servers());
  EXPECT_EQ(talk.answer(error).verdict, Verdict::kKernel);
}

// What it routes is a reply all the same when it is one.
TEST_P(FromServers, RepliesAreTranslatedThoughTheNetworkIsRouted) {
  route(prefix_of_servers());
  talk.establish();
  EXPECT_EQ(note(talk.answer()),
            fmt::format("wan, wan > client: vip:{} > client:40000 {}", settings().port,
                        talk.is_tcp() ? "tcp . ttl 63" : "udp ttl 63 \"response\""));
}

// A server's own packets to a service come by its router.
TEST_P(FromServers, ClientsOfAServiceMaySendByTheirGatewaysMac) {
  const auto syn = packet()
                       .ethernet(mac_of_server(1), kVirtualGatewayMac)
                       .ip(talk.server_address(), family.vip)
                       .tcp(50000, 80, kSyn);
  EXPECT_NE(talk.answer(syn).server(), 0);
  network.set_lease(0);
  EXPECT_EQ(note(talk.answer(syn)), "dropped: not_for_us");
}

}  // namespace
}  // namespace ballast::testing
