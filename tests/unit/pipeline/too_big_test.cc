// Packets that are too long for the port they would leave by, and segments that are told to be
// shorter, where packets are translated.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/unit/pipeline/notes.h"
#include "tests/unit/pipeline/test_modes.h"

namespace ballast::testing {
namespace {

class TooBig : public InMode {
 protected:
  TooBig() {
    talk.establish();
    network.snapshot.ports[index(kWan)].mtu = 1300;
    network.snapshot.ports[index(kLan)].mtu = 1400;
  }
  // An IP packet of this many bytes.
  [[nodiscard]] PacketBuilder of(PacketBuilder builder, size_t length) const {
    const size_t headers = (family.is_v4() ? 20U : 40U) + (talk.is_tcp() ? 20U : 8U);
    return builder.payload(Bytes(length - headers, 'x'));
  }
};
BALLAST_IN_MODES(TooBig, {"nat-web", "nat-dns", "full-web", "full-dns"});
class TooBigOverIpv4 : public TooBig {};
BALLAST_IN_MODES(TooBigOverIpv4, {"nat-web", "nat-dns", "full-web", "full-dns"}, Clients::kIpv4);

TEST_P(TooBig, ForTheWayToTheServerIsSaidByTheVip) {
  EXPECT_EQ(talk.ask(of(talk.request(), 1400).dont_fragment()).server(), talk.server());
  const std::string said = note(talk.ask(of(talk.request(), 1401).dont_fragment()));
  const std::string expected = fmt::format(
      "answered too_big: wan, wan > client: vip > client icmp too-big 1400 ttl 64 {{ "
      "client:40000 > vip:{} {} ttl 64",
      settings().port, talk.is_tcp() ? "tcp ." : "udp");
  EXPECT_EQ(said.substr(0, expected.size()), expected);
  EXPECT_EQ(said.find("WRONG"), std::string::npos) << said;
}

TEST_P(TooBig, ForTheWayToTheClientIsSaidByARouterOrTheLocalAddress) {
  EXPECT_EQ(talk.answer(of(talk.reply(), 1300).dont_fragment()).verdict, Verdict::kTransmit);
  const std::string said = note(talk.answer(of(talk.reply(), 1301).dont_fragment()));
  const std::string from = is_nat() ? "lan" : name_of(talk.peer());
  const std::string expected = fmt::format(
      "answered too_big: lan, lan > server{0}: {1} > server{0} icmp too-big 1300 ttl 64 {{ "
      "server{0}:{2} > {3} {4} ttl 64",
      talk.server(), from, talk.server_port(), talk.peer_name(), talk.is_tcp() ? "tcp ." : "udp");
  EXPECT_EQ(said.substr(0, expected.size()), expected);
  EXPECT_EQ(said.find("WRONG"), std::string::npos) << said;
}

TEST_P(TooBigOverIpv4, ButAllowedToBeCutIsCut) {
  const Outcome in = talk.ask(of(talk.request(), 1401));
  EXPECT_EQ(in.server(), talk.server());
  EXPECT_EQ(in.fragment_mtu, 1400);
  EXPECT_EQ(in.frame, of(talk.request_at_server(), 1401)
                          .ttl(63)
                          .ethernet(kLanMac, mac_of_server(talk.server()))
                          .build());
  const Outcome out = talk.answer(of(talk.reply(), 1301));
  EXPECT_EQ(out.fragment_mtu, 1300);
  EXPECT_EQ(out.frame,
            of(talk.reply_at_client(), 1301).ttl(63).ethernet(kBalancerMac, kClientMac).build());
}

// What is said of a long packet is short.
TEST_P(TooBig, LeavesNothingToBeCutOfAnAnswer) {
  const Outcome in = talk.ask(of(talk.request(), 1401).ttl(1));
  EXPECT_EQ(in.reason, family.is_v4() ? DropReason::kTtlExpired : DropReason::kTooBig);
  EXPECT_EQ(in.verdict, Verdict::kTransmit);
  EXPECT_EQ(in.fragment_mtu, 0);
  const Outcome out = talk.answer(of(talk.reply(), 1301).ttl(1));
  EXPECT_EQ(out.verdict, Verdict::kTransmit);
  EXPECT_EQ(out.fragment_mtu, 0);
}

TEST_P(TooBigOverIpv4, AndHeldUntilTheMacIsKnownIsStillToBeCut) {
  network.set_neighbor(talk.server(), NeighborState::kUnknown);
  EXPECT_EQ(talk.ask(of(talk.request(), 1401)).verdict, Verdict::kHold);
  network.set_neighbor(talk.server(), NeighborState::kReachable);
  const std::vector<Outcome> released = network.pass(kMillisecond);
  ASSERT_EQ(released.size(), 1U);
  EXPECT_EQ(released[0].server(), talk.server());
  EXPECT_EQ(released[0].fragment_mtu, 1400);
}

TEST_P(TooBig, WithoutAConnectionOfItsOwnToTellOpensOneAllTheSame) {
  // A first datagram that is too long is refused, and so is the second: nothing is half done.
  Talk other(network, family, GetParam().service, 40001);
  EXPECT_EQ(other.ask(of(other.request(kSyn), 1401).dont_fragment()).reason, DropReason::kTooBig);
  EXPECT_EQ(other.ask(of(other.request(kSyn), 1400).dont_fragment()).verdict, Verdict::kTransmit);
}

// ---------------------------------------------------------------- MSS

class MaximumSegmentSize : public InMode {
 protected:
  static constexpr uint16_t kAnnounced = 1460;
  static Bytes option(uint16_t mss) {
    return {2, 4, static_cast<uint8_t>(mss >> 8), static_cast<uint8_t>(mss)};
  }
  static uint16_t mss_of(const Outcome& outcome) {
    Frame frame = outcome.frame;
    EXPECT_EQ(frame.wrong_checksum(), "");
    const size_t option = frame.transport_offset() + 20;
    EXPECT_EQ(frame.bytes.at(option), 2);
    return static_cast<uint16_t>(frame.bytes.at(option + 2) << 8 | frame.bytes.at(option + 3));
  }
  void announce_at_most(uint16_t ipv4, uint16_t ipv6) {
    network.change_servers(GetParam().service, [&](RealServer& each) {
      each.mss_ipv4 = ipv4;
      each.mss_ipv6 = ipv6;
    });
  }
  Outcome open(uint16_t mss) { return talk.ask(talk.request(kSyn).tcp_options(option(mss))); }
};
BALLAST_IN_MODES(MaximumSegmentSize, {"nat-web", "nat-shop", "full-web"});

TEST_P(MaximumSegmentSize, IsLoweredInBothSyns) {
  announce_at_most(1440, 1420);
  const uint16_t lowered = family.is_v4() ? 1440 : 1420;
  EXPECT_EQ(mss_of(open(kAnnounced)), lowered);
  talk.open();
  EXPECT_EQ(mss_of(talk.answer(talk.reply(kSyn | kAck).tcp_options(option(kAnnounced)))), lowered);
}

TEST_P(MaximumSegmentSize, IsNeverRaised) {
  announce_at_most(1440, 1440);
  EXPECT_EQ(mss_of(open(536)), 536);
  talk.open();
  EXPECT_EQ(mss_of(talk.answer(talk.reply(kSyn | kAck).tcp_options(option(1000)))), 1000);
}

TEST_P(MaximumSegmentSize, IsLeftAloneUnlessConfigured) {
  EXPECT_EQ(mss_of(open(kAnnounced)), kAnnounced);
}

TEST_P(MaximumSegmentSize, IsLeftAloneInWhatIsNoSyn) {
  announce_at_most(1440, 1440);
  talk.establish();
  EXPECT_EQ(mss_of(talk.ask(talk.request().tcp_options(option(kAnnounced)))), kAnnounced);
  EXPECT_EQ(mss_of(talk.answer(talk.reply().tcp_options(option(kAnnounced)))), kAnnounced);
}

TEST_P(MaximumSegmentSize, IsLoweredInASynThatIsSentAgain) {
  announce_at_most(1440, 1440);
  talk.establish();
  EXPECT_EQ(mss_of(open(kAnnounced)), 1440);
}

class MaximumSegmentSizeInTunnels : public MaximumSegmentSize {};
BALLAST_IN_MODES(MaximumSegmentSizeInTunnels, {"ipip", "gre", "gue", "gue-shop"});

TEST_P(MaximumSegmentSizeInTunnels, IsLoweredInTheClientsSyn) {
  announce_at_most(1400, 1380);
  Frame frame = open(kAnnounced).frame;
  EXPECT_EQ(frame.wrong_checksum(), "");
  const Bytes expected =
      talk.request(kSyn).tcp_options(option(family.is_v4() ? 1400 : 1380)).build().network_bytes();
  EXPECT_EQ(
      Bytes(frame.bytes.end() - static_cast<std::ptrdiff_t>(expected.size()), frame.bytes.end()),
      expected);
}

}  // namespace
}  // namespace ballast::testing
