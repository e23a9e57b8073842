// TUN, packet in, packet out: the client's packet as it came, inside an outer header to the server.
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/unit/pipeline/notes.h"
#include "tests/unit/pipeline/test_modes.h"

namespace ballast::testing {
namespace {

// For clients of one family, to servers of either.
class Tunnels : public InMode {
 protected:
  Tunnels() { to(family.is_v4() ? Family::kIpv4 : Family::kIpv6); }
  void to(Family outer) {
    outer_ = outer;
    network.use_tunnels(GetParam().service, {2}, outer);
  }
  [[nodiscard]] std::string encapsulation() const {
    const std::string name = GetParam().service.substr(0, GetParam().service.find('-'));
    return fmt::format("{}/{}in{}", name, family.is_v4() ? 4 : 6, outer_ == Family::kIpv4 ? 4 : 6);
  }
  [[nodiscard]] size_t overhead() const {
    const size_t shim = settings().encapsulation == Encapsulation::kIpIp  ? 0
                        : settings().encapsulation == Encapsulation::kGre ? 4
                                                                          : 12;
    return (outer_ == Family::kIpv4 ? 20 : 40) + shim;
  }
  [[nodiscard]] std::string tunnelled(std::string_view inner) const {
    return fmt::format("lan, lan > server2: lan > server2 {} ttl 64 {{ client:40000 > vip:{} {} }}",
                       encapsulation(), settings().port, inner);
  }
  // What is inside: the last bytes of the frame, as long as what was sent.
  static Bytes inner_of(const Outcome& outcome, const Frame& sent) {
    const size_t length = sent.network_bytes().size();
    return {outcome.frame.bytes.end() - static_cast<std::ptrdiff_t>(length),
            outcome.frame.bytes.end()};
  }
  // A packet of this many bytes, that may not be fragmented if its family can say so.
  [[nodiscard]] PacketBuilder packet_of(size_t length, bool dont_fragment = true) const {
    const size_t headers = (family.is_v4() ? 20U : 40U) + (talk.is_tcp() ? 20U : 8U);
    PacketBuilder builder = talk.request().payload(Bytes(length - headers, 'x'));
    return dont_fragment ? builder.dont_fragment() : builder;
  }
  Family outer_{};
};
BALLAST_IN_MODES(Tunnels, {"ipip", "ipip-udp", "gre", "gre-udp", "gue", "gue-udp", "gue-shop"});
class TunnelsOfTcp : public Tunnels {};
BALLAST_IN_MODES(TunnelsOfTcp, {"ipip", "gre", "gue", "gue-shop"});
class TunnelsOfIpv4 : public Tunnels {};
BALLAST_IN_MODES(TunnelsOfIpv4,
                 {"ipip", "ipip-udp", "gre", "gre-udp", "gue", "gue-udp", "gue-shop"},
                 Clients::kIpv4);

TEST_P(Tunnels, CarryThePacketAsItCameToServersOfBothFamilies) {
  for (const Family outer : {Family::kIpv4, Family::kIpv6}) {
    to(outer);
    const Frame sent = talk.request(kSyn).ttl(1).traffic_class(0xb8).build();
    network.pass(1000 * kSecond);
    const Outcome outcome = network.send(sent);
    EXPECT_EQ(note(outcome), tunnelled(talk.is_tcp() ? "tcp S ttl 1" : "udp ttl 1 \"query\""));
    EXPECT_EQ(outcome.grown, overhead());
    EXPECT_EQ(outcome.frame.size(), sent.size() + overhead());
    EXPECT_EQ(inner_of(outcome, sent), sent.network_bytes());
    Frame left = outcome.frame;
    EXPECT_EQ(outer == Family::kIpv4 ? left.ipv4()->traffic_class : left.ipv6()->traffic_class(),
              0xb8);  // DSCP and ECN are copied
  }
}

TEST_P(Tunnels, LeadOneConnectionToOneServerByOneWay) {
  network.use_servers(GetParam().service, {1, 2, 3});
  std::set<std::string> outer_families;
  for (uint16_t port = 1; port <= 60; ++port) {
    Talk each(network, family, GetParam().service, port);
    Frame first = each.open().frame;
    outer_families.insert(first.ipv4() != nullptr ? "ipv4" : "ipv6");
    Frame second = each.ask(each.request()).frame;
    Frame third = each.ask(each.request()).frame;
    // The outer header is the same in all that hashes look at: addresses and, in GUE, ports.
    const auto addresses = [](Frame& frame) {
      const size_t at = frame.ipv4() != nullptr ? 14 + 12 : 14 + 8;
      const size_t length = frame.ipv4() != nullptr ? 8 : 32;
      Bytes seen(frame.bytes.begin() + static_cast<std::ptrdiff_t>(at),
                 frame.bytes.begin() + static_cast<std::ptrdiff_t>(at + length));
      if (frame.udp() != nullptr && frame.udp()->destination_port == kGuePort) {
        seen.push_back(static_cast<uint8_t>(frame.udp()->source_port.to_host() >> 8));
        seen.push_back(static_cast<uint8_t>(frame.udp()->source_port.to_host()));
      }
      return seen;
    };
    EXPECT_EQ(addresses(first), addresses(second));
    EXPECT_EQ(addresses(first), addresses(third));
  }
  EXPECT_EQ(outer_families.size(), 2U);
}

TEST_P(TunnelsOfTcp, AreTrackedByTheClientsHalfAlone) {
  talk.establish();
  EXPECT_EQ(talk.connection()->state, ConnectionState::kEstablished);
  EXPECT_FALSE(talk.connection()->translated);
  talk.ask(kFin | kAck);
  EXPECT_EQ(talk.connection()->state, ConnectionState::kFinWait);
}

TEST_P(Tunnels, CarryOptionsPaddingAndChainedFrames) {
  talk.open();
  const auto with_options = family.is_v4()
                                ? talk.request().ipv4_options({1, 148, 4, 0, 0})
                                : talk.request().extension(IpProtocol::kHopByHop, {5, 2, 0, 0});
  const Frame options = PacketBuilder(with_options).build();
  EXPECT_EQ(inner_of(network.send(options), options), options.network_bytes());
  // Ethernet's padding is not the server's business.
  const Frame padded = talk.request().payload(Bytes()).pad_to(100).build();
  const Outcome unpadded = network.send(padded);
  EXPECT_EQ(unpadded.frame.size(), 14 + overhead() + padded.network_bytes().size());
  EXPECT_EQ(inner_of(unpadded, padded), padded.network_bytes());
  const Frame long_one = packet_of(1000).build();
  EXPECT_EQ(inner_of(network.send(long_one, {.port = kWan, .first_segment = 200}), long_one),
            long_one.network_bytes());
}

TEST_P(Tunnels, SpreadConnectionsOverTheirRangeOfSources) {
  const std::string first = family.is_v4() ? "10.9.0.16" : "2001:db8:9::10";
  std::vector<std::shared_ptr<const ServerTunnel>> tunnels;
  network.change_servers(GetParam().service, [&](RealServer& each) {
    if (each.address.is_v4() == family.is_v4()) {
      ServerTunnel ranged = *each.tunnel;
      ranged.first_source = ip_address(first);
      ranged.sources = 8;
      tunnels.push_back(std::make_shared<const ServerTunnel>(ranged));
      each.tunnel = tunnels.back().get();
    }
  });
  std::map<std::string, int> sources;
  for (uint16_t port = 1; port <= 400; ++port) {
    Frame frame = Talk(network, family, GetParam().service, port).open().frame;
    EXPECT_EQ(frame.wrong_checksum(), "");
    ++sources[family.is_v4() ? IpAddress::v4(frame.ipv4()->source).to_string()
                             : IpAddress::v6(frame.ipv6()->source).to_string()];
  }
  EXPECT_EQ(sources.size(), 8U);
  EXPECT_TRUE(sources.contains(first));
  EXPECT_TRUE(sources.contains(family.is_v4() ? "10.9.0.23" : "2001:db8:9::17"));
  for (const auto& [source, count] : sources) {
    EXPECT_GT(count, 25) << source;  // of 50
  }
}

TEST_P(Tunnels, ThatHaveNoSourceOrNoHeadroomDropThePacket) {
  const Frame syn = talk.request(kSyn).build();
  EXPECT_EQ(
      note(network.send(syn, {.port = kWan, .headroom = static_cast<uint16_t>(overhead() - 1)})),
      "dropped: no_headroom");
  EXPECT_EQ(
      network.send(syn, {.port = kWan, .headroom = static_cast<uint16_t>(overhead())}).verdict,
      Verdict::kTransmit);
  std::vector<std::shared_ptr<const ServerTunnel>> tunnels;
  network.change_servers(GetParam().service, [&](RealServer& each) {
    ServerTunnel none = *each.tunnel;
    none.sources = 0;
    tunnels.push_back(std::make_shared<const ServerTunnel>(none));
    each.tunnel = tunnels.back().get();
  });
  EXPECT_EQ(note(network.send(syn)), "dropped: no_tunnel_source");
}

// ---- what does not fit

TEST_P(Tunnels, SayWhatFitsToSendersOfPacketsThatDoNot) {
  for (const Family outer : {Family::kIpv4, Family::kIpv6}) {
    to(outer);
    network.pass(1000 * kSecond);
    talk.open();
    const size_t mtu = 1500 - overhead();
    EXPECT_EQ(talk.ask(packet_of(mtu)).frame.size(), 14U + 1500U);
    const std::string refused = fmt::format(
        "answered too_big: wan, wan > client: vip > client "
        "icmp too-big {} ttl 64 {{ client:40000 > vip:{} {}",
        mtu, settings().port, talk.is_tcp() ? "tcp ." : "udp");
    const std::string said = note(talk.ask(packet_of(mtu + 1)));
    EXPECT_EQ(said.substr(0, refused.size()), refused);
    EXPECT_EQ(said.find("WRONG"), std::string::npos) << said;
  }
}

TEST_P(Tunnels, AreCutIntoFragmentsWhereTheSenderAllowsIt) {
  talk.open();
  if (family.is_v4()) {
    const Frame sent = packet_of(1500, false).build();
    const Outcome outcome = network.send(sent);
    EXPECT_EQ(outcome.verdict, Verdict::kTransmit);
    EXPECT_EQ(outcome.fragment_mtu, 1500);
    EXPECT_EQ(outcome.frame.size(), 14 + overhead() + 1500);
    EXPECT_EQ(inner_of(outcome, sent), sent.network_bytes());
    EXPECT_EQ(Frame(outcome.frame).wrong_checksum(), "");
    EXPECT_FALSE(Frame(outcome.frame).ipv4()->dont_fragment());
    EXPECT_EQ(network.send(packet_of(1500 - overhead(), false).build()).fragment_mtu, 0);
  } else {
    // Of 1280 bytes: nobody can be told to send less (RFC 8200 section 5), and an outer IPv4 header
    // must allow what is done to it (RFC 4213 section 3.2.2).
    network.snapshot.ports[index(kLan)].mtu = 1280;
    for (const Family outer : {Family::kIpv4, Family::kIpv6}) {
      to(outer);
      network.pass(1000 * kSecond);
      talk.open();
      const Outcome outcome = talk.ask(packet_of(1280));
      EXPECT_EQ(outcome.verdict, Verdict::kTransmit);
      EXPECT_EQ(outcome.fragment_mtu, 1280);
      if (outer == Family::kIpv4) {
        EXPECT_FALSE(Frame(outcome.frame).ipv4()->dont_fragment());
        EXPECT_EQ(Frame(outcome.frame).wrong_checksum(), "");
      }
      EXPECT_EQ(note(talk.ask(packet_of(1281))).substr(0, 63),
                "answered too_big: wan, wan > client: vip > client icmp too-big ");
    }
  }
}

TEST_P(TunnelsOfIpv4, NumberTheirOuterHeadersWhereTheyMayBeFragmented) {
  talk.open();
  std::set<uint16_t> numbers;
  for (int i = 0; i < 10; ++i) {
    numbers.insert(Frame(talk.ask(packet_of(500, false)).frame).ipv4()->identification.to_host());
  }
  EXPECT_EQ(numbers.size(), 10U);
}

// ---- a way that is not there yet

TEST_P(Tunnels, WaitForTheMacOfTheNextHopAsTheyWillLeave) {
  network.set_neighbor(2, NeighborState::kUnknown);
  EXPECT_EQ(note(talk.ask(kSyn)), "held");
  network.set_neighbor(2, NeighborState::kReachable);
  const std::vector<Outcome> released = network.pass(kMillisecond);
  ASSERT_EQ(released.size(), 1U);
  EXPECT_EQ(note(released[0]), tunnelled(talk.is_tcp() ? "tcp S ttl 64" : "udp ttl 64 \"query\""));
}

TEST_P(Tunnels, LeadIcmpErrorsAboutTheServersPacketsToIt) {
  talk.open();
  const Frame answer = talk.reply_at_client().build();
  const auto error =
      packet()
          .ip(family.router, family.vip)
          .icmp_error(family.is_v4() ? kIcmpTimeExceeded : kIcmpv6TimeExceeded, 0, answer);
  EXPECT_EQ(note(network.send(error)),
            fmt::format("lan, lan > server2: lan > server2 {} ttl 64 {{ router > vip icmp "
                        "time-exceeded ttl 64 {{ {} }} }}",
                        encapsulation(), note_ip(answer)));
}

// The gateways of tunnels need no gate: what comes back does not pass here.
TEST_P(Tunnels, CountWhatGoesIn) {
  talk.open();
  talk.ask();
  const ServerCounters& counters =
      network.server_counters(network.servers_of(GetParam().service, 2)[family.is_v4() ? 0 : 1]);
  EXPECT_EQ(counters.packets_in.read(), 2U);
  EXPECT_EQ(counters.bytes_in.read(), talk.request(kSyn).build().network_bytes().size() +
                                          talk.request().build().network_bytes().size());
}

}  // namespace
}  // namespace ballast::testing
