// TCP where both directions pass here: states, and whom to trust.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/unit/pipeline/notes.h"
#include "tests/unit/pipeline/test_modes.h"

namespace ballast::testing {
namespace {

class TcpBothWays : public InMode {
 protected:
  // "client S" or "server FA": who sends what.
  void sends(std::string_view what) {
    uint8_t flags = 0;
    for (const char flag : what.substr(7)) {
      flags = static_cast<uint8_t>(flags | (flag == 'S'   ? kSyn
                                            : flag == 'F' ? kFin
                                            : flag == 'R' ? kRst
                                                          : kAck));
    }
    const bool client = what.starts_with("client");
    if (client && talk.server() == 0) {
      talk.open();
    } else {
      EXPECT_EQ((client ? talk.ask(flags) : talk.answer(flags)).verdict, Verdict::kTransmit)
          << what;
    }
  }
  [[nodiscard]] std::string_view state() const {
    const Connection* entry = talk.connection();
    return entry == nullptr ? "GONE" : name_of(entry->state);
  }
  void expect(const std::vector<std::pair<std::string, std::string>>& steps) {
    for (const auto& [what, state_after] : steps) {
      sends(what);
      EXPECT_EQ(state(), state_after) << what;
    }
  }
};
BALLAST_IN_MODES(TcpBothWays, {"nat-web", "nat-any", "nat-shop", "full-web", "full-any"});

TEST_P(TcpBothWays, IsEstablishedByTheClientsAcknowledgement) {
  expect({{"client S", "SYN_RECV"},
          {"server SA", "SYN_RECV"},
          {"client A", "ESTABLISHED"},
          {"server A", "ESTABLISHED"}});
}

TEST_P(TcpBothWays, IsClosedByTheClientFirst) {
  talk.establish();
  expect({{"client FA", "CLOSE_WAIT"},
          {"server A", "CLOSE_WAIT"},
          {"server FA", "TIME_WAIT"},
          {"client A", "TIME_WAIT"}});
}

TEST_P(TcpBothWays, IsClosedByTheServerFirst) {
  talk.establish();
  expect({{"server FA", "FIN_WAIT"},
          {"client A", "FIN_WAIT"},
          {"client FA", "TIME_WAIT"},
          {"server A", "TIME_WAIT"}});
}

TEST_P(TcpBothWays, IsClosedByAResetOfEitherSide) {
  talk.establish();
  expect({{"client RA", "CLOSE"}});
  network.pass(20 * kSecond);
  EXPECT_EQ(state(), "GONE");
  talk.establish();
  expect({{"server R", "CLOSE"}});
}

TEST_P(TcpBothWays, IsClosedByAServerThatRefuses) {
  expect({{"client S", "SYN_RECV"}, {"server RA", "CLOSE"}});
  network.pass(10 * kSecond);
  EXPECT_EQ(state(), "GONE");
}

TEST_P(TcpBothWays, OutlivesItsStateOnlyByItsPackets) {
  talk.establish();
  for (int i = 0; i < 3; ++i) {
    network.pass(800 * kSecond);
    sends("server A");  // the server's are as good as the client's
  }
  network.pass(899 * kSecond);
  EXPECT_EQ(state(), "ESTABLISHED");
  network.pass(2 * kSecond);
  EXPECT_EQ(state(), "GONE");
}

TEST_P(TcpBothWays, IsScheduledAnewByASynInTimeWait) {
  use_servers({1});
  talk.establish();
  expect({{"client FA", "CLOSE_WAIT"}, {"server FA", "TIME_WAIT"}, {"client A", "TIME_WAIT"}});
  use_servers({2});
  const Outcome outcome = talk.open();
  EXPECT_EQ(outcome.server(), 2);
  EXPECT_EQ(state(), "SYN_RECV");
  EXPECT_EQ(network.connections().size(), 1U);
  EXPECT_EQ(talk.answer(kSyn | kAck).verdict, Verdict::kTransmit);
  talk.ask();
  EXPECT_TRUE(talk.connection()->trusted);
}

TEST_P(TcpBothWays, IsNotTouchedByASynInEstablished) {
  use_servers({1});
  talk.establish();
  use_servers({2});
  EXPECT_EQ(talk.ask(kSyn).server(), 1);
  EXPECT_EQ(state(), "ESTABLISHED");
}

TEST_P(TcpBothWays, CountsActiveAndInactiveConnections) {
  const auto counts = [&] {
    return std::pair(network.active_connections(talk.server_index()),
                     network.inactive_connections(talk.server_index()));
  };
  talk.establish();
  EXPECT_EQ(counts(), std::pair(1U, 0U));
  sends("server FA");
  EXPECT_EQ(counts(), std::pair(0U, 1U));
  network.pass(200 * kSecond);
  EXPECT_EQ(counts(), std::pair(0U, 0U));
  EXPECT_EQ(network.server_counters(talk.server_index()).ended.read(), 1U);
}

// ---- trust

TEST_P(TcpBothWays, TrustsAClientThatAcknowledgesTheServersSyn) {
  talk.open();
  talk.ask();  // before the server has said anything
  EXPECT_FALSE(talk.connection()->trusted);
  talk.answer(kSyn | kAck);
  EXPECT_FALSE(talk.connection()->trusted);
  talk.ask();
  EXPECT_TRUE(talk.connection()->trusted);
}

TEST_P(TcpBothWays, DoesNotTrustAClientThatGuesses) {
  talk.open();
  talk.answer(kSyn | kAck);
  for (const uint32_t acknowledgement : {5000U, 5001U + 65536U, 0U, 0xffffffffU}) {
    talk.ask(talk.request().sequence(1001, acknowledgement));
    EXPECT_FALSE(talk.connection()->trusted) << acknowledgement;
  }
  talk.ask(talk.request().sequence(900, 5001));  // the right one, but not the client's own place
  EXPECT_FALSE(talk.connection()->trusted);
  talk.ask(talk.request().sequence(1001, 5001));
  EXPECT_TRUE(talk.connection()->trusted);
}

// SYN cookies: each of the server's answers has another sequence number.
TEST_P(TcpBothWays, TrustsTheAnswerToTheLastSyn) {
  talk.open();
  talk.answer(kSyn | kAck);
  talk.ask(kSyn);
  talk.answer(talk.reply(kSyn | kAck).sequence(900'000, 1001));
  talk.ask(talk.request().sequence(1001, 5001));
  EXPECT_FALSE(talk.connection()->trusted);
  talk.ask(talk.request().sequence(1001, 900'001));
  EXPECT_TRUE(talk.connection()->trusted);
}

TEST_P(TcpBothWays, NeverTrustsForWhatTheServerSends) {
  talk.open();
  for (int i = 0; i < 5; ++i) {
    talk.answer(kAck);
    talk.answer(kSyn | kAck);
  }
  EXPECT_FALSE(talk.connection()->trusted);
}

// ---- UDP

class UdpBothWays : public InMode {};
BALLAST_IN_MODES(UdpBothWays, {"nat-dns", "nat-game", "full-dns"});
class UdpBothWaysOfNat : public UdpBothWays {};  // one_packet is refused for FULLNAT
BALLAST_IN_MODES(UdpBothWaysOfNat, {"nat-dns", "nat-game"});

TEST_P(UdpBothWays, IsTrustedFromTheClientsSecondDatagram) {
  talk.open();
  talk.answer();
  talk.answer();
  EXPECT_FALSE(talk.connection()->trusted);
  talk.ask();
  EXPECT_TRUE(talk.connection()->trusted);
}

TEST_P(UdpBothWays, EndsByTheTimeoutOfItsService) {
  service().timeouts.seconds[static_cast<size_t>(ConnectionState::kUdp)] = 7;
  talk.open();
  network.pass(5 * kSecond);
  talk.answer();  // keeps it
  network.pass(6 * kSecond);
  EXPECT_NE(talk.connection(), nullptr);
  network.pass(2 * kSecond);
  EXPECT_EQ(talk.connection(), nullptr);
}

TEST_P(UdpBothWaysOfNat, OfOnePacketIsScheduledEachByItself) {
  service().one_packet = true;
  std::map<int, int> servers;
  for (int i = 0; i < 30; ++i) {
    ++servers[talk.ask().server()];
  }
  EXPECT_EQ(network.connections().size(), 0U);
  EXPECT_EQ(servers.size(), settings().scheduler == "rr" ? 3U : 1U);
}

TEST_P(UdpBothWaysOfNat, OfOnePacketIsAnsweredThoughNothingIsRemembered) {
  service().one_packet = true;
  const std::string answered = fmt::format(
      "wan, wan > client: vip:{} > client:40000 udp ttl 63 \"response\"", settings().port);
  // Of two VIPs it could be either's, if no hash says which.
  talk.open();
  EXPECT_EQ(note(talk.answer()),
            settings().scheduler == "mh" ? answered : "dropped: reply_unmatched");
  network.change_address(
      {.address = ip_address(family.leased_vip), .lease = LeaseSlot{1}, .virtual_mac = {}});
  network.set_lease(0);  // the other VIP is held by another node
  // Its last datagram has said where the client is.
  EXPECT_EQ(note(talk.answer()), answered);
  EXPECT_EQ(network.connections().size(), 0U);
}

}  // namespace
}  // namespace ballast::testing
