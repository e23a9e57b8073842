// ICMP errors about translated connections, in both directions: whom they reach, what they say
// there, and which are not believed.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/unit/pipeline/notes.h"
#include "tests/unit/pipeline/test_modes.h"

namespace ballast::testing {
namespace {

enum class About { kUnreachable, kTooBig, kTimeExceeded };

class IcmpErrors : public InMode {
 protected:
  [[nodiscard]] PacketBuilder error(PacketBuilder builder, About about, const Frame& quoted,
                                    size_t quoted_bytes = SIZE_MAX) const {
    const bool v4 = family.is_v4();
    switch (about) {
      case About::kUnreachable:
        return builder.icmp_error(v4 ? kIcmpDestinationUnreachable : kIcmpv6DestinationUnreachable,
                                  v4 ? kIcmpPortUnreachable : kIcmpv6PortUnreachable, quoted, {},
                                  quoted_bytes);
      case About::kTooBig:
        return v4 ? builder.icmp_error(kIcmpDestinationUnreachable, kIcmpFragmentationNeeded,
                                       quoted, mtu(1400), quoted_bytes)
                  : builder.icmp_error(kIcmpv6PacketTooBig, 0, quoted, mtu_v6(1400), quoted_bytes);
      case About::kTimeExceeded:
        return builder.icmp_error(v4 ? kIcmpTimeExceeded : kIcmpv6TimeExceeded, 0, quoted, {},
                                  quoted_bytes);
    }
    return builder;
  }
  // What the server sent does not get through to the client: the error goes to the VIP.
  [[nodiscard]] PacketBuilder from_outside(std::string_view router, About about,
                                           const Frame& quoted, size_t bytes = SIZE_MAX) const {
    return error(packet().ip(router, family.vip), about, quoted, bytes);
  }
  // What the client sent does not get through to the server: it goes to whom the server's side
  // takes for the client.
  [[nodiscard]] PacketBuilder from_inside(std::string_view router, About about, const Frame& quoted,
                                          size_t bytes = SIZE_MAX) const {
    return error(packet()
                     .ethernet(mac_of_server(talk.server()), kLanMac)
                     .ip(ip_address(router), talk.peer()),
                 about, quoted, bytes);
  }
  Outcome send_inside(const PacketBuilder& packet) {
    return network.send(packet.build(), {.port = kLan});
  }
  static std::string name(About about) {
    return about == About::kUnreachable ? "port-unreachable"
           : about == About::kTooBig    ? "too-big 1400"
                                        : "time-exceeded";
  }
  // The server's packet as the client knows it, or the other way round, by its ports.
  [[nodiscard]] std::string what(std::string_view payload, int ttl) const {
    return talk.is_tcp() ? fmt::format("tcp . ttl {}", ttl)
                         : fmt::format("udp ttl {} \"{}\"", ttl, payload);
  }
};
BALLAST_IN_MODES(IcmpErrors, {"nat-web", "nat-dns", "nat-shop", "nat-any-udp", "full-web",
                              "full-dns", "full-any"});

TEST_P(IcmpErrors, AboutWhatTheServerSentReachItAsIfAboutWhatItSent) {
  talk.establish();
  for (const About about : {About::kUnreachable, About::kTooBig, About::kTimeExceeded}) {
    for (const std::string& router : {family.router, family.far_client, family.client}) {
      // In NAT the server hears the router, in FULLNAT the local address.
      const std::string from = is_nat() ? name_of(ip_address(router)) : name_of(talk.peer());
      EXPECT_EQ(
          note(network.send(from_outside(router, about, talk.reply_at_client().ttl(40).build()))),
          fmt::format("lan, lan > server{0}: {1} > server{0} icmp {2} ttl 63 {{ server{0}:{3} "
                      "> {4} {5} }}",
                      talk.server(), from, name(about), talk.server_port(), talk.peer_name(),
                      what("response", 40)));
    }
  }
}

TEST_P(IcmpErrors, AboutWhatTheClientSentReachItAsIfFromTheVip) {
  talk.establish();
  for (const About about : {About::kUnreachable, About::kTooBig, About::kTimeExceeded}) {
    for (const std::string& router : {talk.server_address(), family.router}) {
      EXPECT_EQ(
          note(send_inside(from_inside(router, about, talk.request_at_server().ttl(40).build()))),
          fmt::format("wan, wan > client: vip > client icmp {} ttl 63 {{ client:40000 > vip:{} {} "
                      "}}",
                      name(about), settings().port, what("query", 40)));
    }
  }
}

// The least that RFC 792 wants quoted: the IP header and eight bytes.
TEST_P(IcmpErrors, ReachTheirEndWhenTheyQuoteEightBytes) {
  talk.establish();
  const size_t least = (family.is_v4() ? 20U : 40U) + 8U;
  EXPECT_EQ(network
                .send(from_outside(family.router, About::kUnreachable,
                                   talk.reply_at_client().build(), least))
                .server(),
            talk.server());
  const Outcome outcome = send_inside(
      from_inside(family.router, About::kUnreachable, talk.request_at_server().build(), least));
  EXPECT_EQ(outcome.verdict, Verdict::kTransmit);
  EXPECT_EQ(outcome.out_port, kWan);
}

TEST_P(IcmpErrors, AreDroppedWhenTheyAreNotForTheSenderOfWhatTheyQuote) {
  talk.establish();
  EXPECT_EQ(note(network.send(error(packet().ip(family.router, family.leased_vip), About::kTooBig,
                                    talk.reply_at_client().build()))),
            "dropped: icmp_inner");
  EXPECT_EQ(note(send_inside(error(
                packet().ethernet(mac_of_server(1), kLanMac).ip(family.router, family.far_client),
                About::kTooBig, talk.request_at_server().build()))),
            "dropped: icmp_inner");
}

TEST_P(IcmpErrors, AboutNoConnectionAreDropped) {
  talk.establish();
  const bool hashes = settings().scheduler == "mh";
  const Talk stranger = [&] {
    Talk other(network, family, GetParam().service, 41000);
    return other.assume_server(talk.server());
  }();
  const Outcome outside = network.send(
      from_outside(family.router, About::kUnreachable, stranger.reply_at_client().build()));
  // Where a hash says whose it is, it need not be known here.
  EXPECT_EQ(outside.verdict, hashes ? Verdict::kTransmit : Verdict::kDrop);
  EXPECT_EQ(outside.reason, hashes ? DropReason::kNone : DropReason::kIcmpUnmatched);
  const Frame quoted =
      is_nat()
          ? stranger.request_at_server().build()
          : PacketBuilder(talk.is_tcp() ? talk.request_at_server().tcp(9, talk.server_port(), kAck)
                                        : talk.request_at_server().udp(9, talk.server_port()))
                .build();
  EXPECT_EQ(note(send_inside(from_inside(family.router, About::kUnreachable, quoted))),
            "dropped: icmp_unmatched");
}

TEST_P(IcmpErrors, KeepNothingAlive) {
  talk.establish();
  const uint32_t seen = talk.connection()->last_seen;
  network.pass(5 * kSecond);
  network.send(from_outside(family.router, About::kTooBig, talk.reply_at_client().build()));
  send_inside(from_inside(family.router, About::kTooBig, talk.request_at_server().build()));
  EXPECT_EQ(talk.connection()->last_seen, seen);
}

TEST_P(IcmpErrors, EndHereWhenTheirTtlDoesWithoutAnAnswer) {
  talk.establish();
  EXPECT_EQ(
      note(network.send(
          from_outside(family.router, About::kTooBig, talk.reply_at_client().build()).ttl(1))),
      "dropped: ttl_expired");
  EXPECT_EQ(
      note(send_inside(
          from_inside(family.router, About::kTooBig, talk.request_at_server().build()).ttl(1))),
      "dropped: ttl_expired");
}

TEST_P(IcmpErrors, AreForwardedOnlyWhileTheVipIsHeld) {
  talk.vip(family.leased_vip).establish();
  network.set_lease(0);
  EXPECT_EQ(note(send_inside(
                from_inside(family.router, About::kTooBig, talk.request_at_server().build()))),
            "dropped: vip_not_owned");
}

// ---- RFC 5927: what they quote must be in flight

class IcmpSequences : public IcmpErrors {
 protected:
  Outcome about_server(uint32_t sequence) {
    return network.send(from_outside(family.router, About::kTooBig,
                                     talk.reply_at_client().sequence(sequence, 1001).build()));
  }
  Outcome about_client(uint32_t sequence) {
    return send_inside(from_inside(family.router, About::kTooBig,
                                   talk.request_at_server().sequence(sequence, 5001).build()));
  }
  static constexpr uint32_t kFlight = 1U << 24;
};
BALLAST_IN_MODES(IcmpSequences, {"nat-web", "full-web"});

TEST_P(IcmpSequences, OfWhatWasSentAreBelieved) {
  talk.establish();
  talk.answer(talk.reply().payload(Bytes(1000)));  // 5001 to 6001
  talk.ask(talk.request().payload(Bytes(500)));    // 1001 to 1501
  for (const uint32_t sequence : {5001U, 5500U, 6001U, 6001U - kFlight}) {
    EXPECT_EQ(about_server(sequence).verdict, Verdict::kTransmit) << sequence;
  }
  for (const uint32_t sequence : {1001U, 1200U, 1501U, 1501U - kFlight}) {
    EXPECT_EQ(about_client(sequence).verdict, Verdict::kTransmit) << sequence;
  }
}

TEST_P(IcmpSequences, OfWhatWasNotSentAreNotBelieved) {
  talk.establish();
  talk.answer(talk.reply().payload(Bytes(1000)));
  talk.ask(talk.request().payload(Bytes(500)));
  for (const uint32_t sequence : {6002U, 6000U - kFlight, 0x80000000U}) {
    EXPECT_EQ(note(about_server(sequence)), "dropped: icmp_sequence") << sequence;
  }
  for (const uint32_t sequence : {1502U, 1500U - kFlight, 0x80000000U}) {
    EXPECT_EQ(note(about_client(sequence)), "dropped: icmp_sequence") << sequence;
  }
}

TEST_P(IcmpSequences, GoOnWithWhatIsSentAcrossTheWrap) {
  use_servers({1});
  talk.open();
  talk.answer(talk.reply(kSyn | kAck).sequence(0xfffffff0, 1001));
  talk.ask(talk.request().sequence(1001, 0xfffffff1));
  talk.answer(talk.reply().sequence(0xfffffff1, 1001).payload(Bytes(100)));  // to 85
  EXPECT_EQ(about_server(85).verdict, Verdict::kTransmit);
  EXPECT_EQ(about_server(0xfffffff1).verdict, Verdict::kTransmit);
  EXPECT_EQ(note(about_server(86)), "dropped: icmp_sequence");
  // What is sent again moves nothing back.
  talk.answer(talk.reply().sequence(0xfffffff1, 1001).payload(Bytes(10)));
  EXPECT_EQ(about_server(85).verdict, Verdict::kTransmit);
}

// Before the client has answered there is no more than the SYNs, and a window behind them.
TEST_P(IcmpSequences, OfTheHandshakeAreBelievedWithinAWindow) {
  talk.open();
  EXPECT_EQ(about_client(1000).verdict, Verdict::kTransmit);
  talk.answer(kSyn | kAck);
  EXPECT_EQ(about_server(5000).verdict, Verdict::kTransmit);
  EXPECT_EQ(note(about_server(5001 + 65536)), "dropped: icmp_sequence");
  EXPECT_EQ(note(about_client(1001 + 65536)), "dropped: icmp_sequence");
}

}  // namespace
}  // namespace ballast::testing
