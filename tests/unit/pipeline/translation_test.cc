// NAT and FULLNAT, packet in, packet out: to the server with its address and port in the VIP's
// place, back to the client as the VIP. In NAT the server sees the client, in FULLNAT a local
// address and port.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/pipeline/notes.h"
#include "tests/unit/pipeline/test_modes.h"

namespace ballast::testing {
namespace {

class Translated : public InMode {
 protected:
  Translated() { use_servers({2}); }
  // The client is what the server takes for it, once the conversation is open.
  [[nodiscard]] std::string to_server(std::string_view rest) const {
    return fmt::format("lan, lan > server2: {} > server2:{} {}", talk.peer_name(),
                       talk.server_port(), rest);
  }
  [[nodiscard]] std::string to_client(std::string_view rest) const {
    return fmt::format("wan, wan > client: vip:{} > client:40000 {}", settings().port, rest);
  }
};
BALLAST_IN_MODES(Translated, {"nat-web", "nat-dns", "nat-any", "nat-any-udp", "nat-shop",
                              "nat-game", "full-web", "full-dns", "full-any", "full-any-udp"});
class TranslatedUdpOverIpv4 : public Translated {};
BALLAST_IN_MODES(TranslatedUdpOverIpv4,
                 {"nat-dns", "nat-any-udp", "nat-game", "full-dns", "full-any-udp"},
                 Clients::kIpv4);

TEST_P(Translated, RewritesTheDestinationOnTheWayInAndTheSourceOnTheWayOut) {
  const Outcome first = talk.open();
  if (is_nat()) {
    EXPECT_EQ(talk.peer_name(), "client:40000");
  } else {
    EXPECT_THAT(talk.peer_name(), ::testing::MatchesRegex("local[12]:[0-9]+"));
  }
  if (talk.is_tcp()) {
    EXPECT_EQ(note(first), to_server("tcp S ttl 63"));
    EXPECT_EQ(note(talk.answer(kSyn | kAck)), to_client("tcp S. ttl 63"));
    EXPECT_EQ(note(talk.ask(kAck)), to_server("tcp . ttl 63"));
    EXPECT_EQ(note(talk.ask(talk.request(kPsh | kAck).payload("GET /"))),
              to_server("tcp P. ttl 63 \"GET /\""));
    EXPECT_EQ(note(talk.answer(talk.reply(kPsh | kAck).payload("page"))),
              to_client("tcp P. ttl 63 \"page\""));
    EXPECT_EQ(note(talk.answer(kFin | kAck)), to_client("tcp F. ttl 63"));
    EXPECT_EQ(note(talk.ask(kFin | kAck)), to_server("tcp F. ttl 63"));
    EXPECT_EQ(note(talk.answer(kRst)), to_client("tcp R ttl 63"));
  } else {
    EXPECT_EQ(note(first), to_server("udp ttl 63 \"query\""));
    EXPECT_EQ(note(talk.answer()), to_client("udp ttl 63 \"response\""));
    EXPECT_EQ(note(talk.ask()), to_server("udp ttl 63 \"query\""));
    EXPECT_EQ(note(talk.answer()), to_client("udp ttl 63 \"response\""));
  }
}

// What is not translated is not touched: all but addresses, ports, TTL and checksums.
TEST_P(Translated, LeavesTheRestOfThePacketAlone) {
  talk.establish();
  for (const size_t size : {0U, 1U, 2U, 3U, 5U, 7U, 255U, 256U, 1001U}) {
    Bytes payload(size);
    for (size_t i = 0; i < size; ++i) {
      payload[i] = static_cast<uint8_t>(i * 37 + size);
    }
    const auto sent = [&](PacketBuilder builder) {
      return builder.traffic_class(0xb9).identification(0x4711).dont_fragment().payload(payload);
    };
    const auto left_of = [&](const Outcome& outcome, PacketBuilder expected,
                             std::string_view source, std::string_view destination) {
      Frame frame = sent(expected.ttl(63).ethernet(source, destination)).build();
      EXPECT_EQ(outcome.verdict, Verdict::kTransmit);
      // The incremental checksum and the computed one agree but for the two zeros of UDP.
      EXPECT_EQ(outcome.frame, frame);
    };
    left_of(talk.ask(sent(talk.request())), talk.request_at_server(), kLanMac, mac_of_server(2));
    left_of(talk.answer(sent(talk.reply())), talk.reply_at_client(), kBalancerMac, kClientMac);
  }
}

TEST_P(Translated, CarriesOptionsAndExtensionHeadersAlong) {
  talk.establish();
  const auto with_options = [&](PacketBuilder builder) {
    return family.is_v4() ? builder.ipv4_options({1, 148, 4, 0, 0})
                          : builder.extension(IpProtocol::kHopByHop, {5, 2, 0, 0})
                                .extension(IpProtocol::kDestinationOptions, {1, 12});
  };
  EXPECT_EQ(
      talk.ask(with_options(talk.request())).frame,
      with_options(talk.request_at_server().ttl(63).ethernet(kLanMac, mac_of_server(2))).build());
  EXPECT_EQ(
      talk.answer(with_options(talk.reply())).frame,
      with_options(talk.reply_at_client().ttl(63).ethernet(kBalancerMac, kClientMac)).build());
}

TEST_P(TranslatedUdpOverIpv4, LeavesADatagramWithoutAChecksumWithoutOne) {
  talk.open();
  EXPECT_EQ(note(talk.ask(talk.request().udp_without_checksum())),
            to_server("udp ttl 63 \"query\" no checksum"));
  EXPECT_EQ(note(talk.answer(talk.reply().udp_without_checksum())),
            to_client("udp ttl 63 \"response\" no checksum"));
}

TEST_P(Translated, KeepsAWrongChecksumAsWrongAsItWas) {
  talk.establish();
  Frame broken = talk.request().build();
  (talk.is_tcp() ? broken.tcp()->checksum : broken.udp()->checksum) = Big16::from_host(0xdead);
  const Outcome outcome = network.send(broken);
  EXPECT_EQ(outcome.verdict, Verdict::kTransmit);
  EXPECT_NE(Frame(outcome.frame).wrong_checksum(), "");
}

TEST_P(Translated, ForwardsTheShortestAndTheLongestPacket) {
  talk.establish();
  const size_t headers = (family.is_v4() ? 20U : 40U) + (talk.is_tcp() ? 20U : 8U);
  for (const size_t size : {size_t{0}, 1500 - headers}) {
    const Bytes payload(size, 'x');
    EXPECT_EQ(talk.ask(talk.request().payload(payload)).frame,
              talk.request_at_server()
                  .payload(payload)
                  .ttl(63)
                  .ethernet(kLanMac, mac_of_server(2))
                  .build());
    EXPECT_EQ(
        talk.answer(talk.reply().payload(payload)).frame,
        talk.reply_at_client().payload(payload).ttl(63).ethernet(kBalancerMac, kClientMac).build());
  }
}

TEST_P(Translated, ForwardsAFrameWithPaddingOrInSegments) {
  talk.establish();
  EXPECT_EQ(note(talk.ask(talk.request().pad_to(90))),
            to_server(talk.is_tcp() ? "tcp . ttl 63" : "udp ttl 63 \"query\""));
  const Bytes payload(800, 'x');
  const TestNetwork::How chained{.port = kWan, .first_segment = 256};
  EXPECT_EQ(talk.ask(talk.request().payload(payload), chained).frame,
            talk.request_at_server()
                .payload(payload)
                .ttl(63)
                .ethernet(kLanMac, mac_of_server(2))
                .build());
  EXPECT_EQ(
      talk.answer(talk.reply().payload(payload), {.port = kLan, .first_segment = 256}).frame,
      talk.reply_at_client().payload(payload).ttl(63).ethernet(kBalancerMac, kClientMac).build());
}

TEST_P(Translated, CountsWhatGoesInAndOut) {
  talk.open();
  talk.ask();
  talk.ask();
  talk.answer(talk.reply(kSyn | kAck));
  const ServerCounters& counters = network.server_counters(talk.server_index());
  const auto length = [](const PacketBuilder& builder) {
    return builder.build().network_bytes().size();
  };
  EXPECT_EQ(counters.packets_in.read(), 3U);
  EXPECT_EQ(counters.bytes_in.read(), length(talk.request(kSyn)) + 2 * length(talk.request()));
  EXPECT_EQ(counters.packets_out.read(), 1U);
  EXPECT_EQ(counters.bytes_out.read(), length(talk.reply()));
  EXPECT_EQ(counters.connections.read(), 1U);
}

TEST_P(Translated, CountsNothingOfWhatItRefuses) {
  talk.establish();
  const ServerCounters& counters = network.server_counters(talk.server_index());
  const uint64_t in = counters.packets_in.read();
  const uint64_t out = counters.packets_out.read();
  talk.ask(talk.request().ttl(1));
  talk.answer(talk.reply().ttl(1));
  EXPECT_EQ(counters.packets_in.read(), in);
  EXPECT_EQ(counters.packets_out.read(), out);
}

// ---- TTL

TEST_P(Translated, AnswersAClientWhosePacketsEndHereFromThePortsAddress) {
  const std::string what = talk.is_tcp() ? "tcp S ttl 1" : "udp ttl 1 \"query\"";
  const auto expected = [&](std::string_view from) {
    return fmt::format(
        "answered ttl_expired: wan, wan > client: {} > client icmp time-exceeded ttl 64 {{ "
        "client:40000 > vip:{} {} }}",
        from, settings().port, what);
  };
  EXPECT_EQ(note(talk.ask(talk.request(kSyn).ttl(1))), expected("wan"));
  network.snapshot.ports[0].ipv4 = network.snapshot.ports[0].ipv6 = {};
  EXPECT_EQ(note(talk.ask(talk.request(kSyn).ttl(1))), expected("vip"));
}

TEST_P(Translated, AnswersAServerWhosePacketsEndHereAsItsRouter) {
  talk.establish();
  const std::string what = talk.is_tcp() ? "tcp . ttl 1" : "udp ttl 1 \"response\"";
  EXPECT_EQ(note(talk.answer(talk.reply().ttl(1))),
            fmt::format("answered ttl_expired: lan, lan > server2: lan > server2 icmp "
                        "time-exceeded ttl 64 {{ server2:{} > {} {} }}",
                        talk.server_port(), talk.peer_name(), what));
  EXPECT_EQ(note(talk.ask(talk.request().ttl(2))),
            to_server(talk.is_tcp() ? "tcp . ttl 1" : "udp ttl 1 \"query\""));
  // Without an address of its own on that port it is the gateway, or who the server speaks to.
  network.snapshot.ports[1].ipv4 = network.snapshot.ports[1].ipv6 = {};
  const std::string said = note(talk.answer(talk.reply().ttl(1)));
  EXPECT_NE(said.find(is_nat() ? ": gateway > server2 icmp" : ": local"), std::string::npos)
      << said;
}

}  // namespace
}  // namespace ballast::testing
