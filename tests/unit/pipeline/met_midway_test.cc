// Connections that a node meets in their middle: another node opened them, or the table forgot
// them.
#include <random>
#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "dataplane/packet/wire.h"
#include "tests/unit/pipeline/test_network.h"

namespace ballast::testing {
namespace {

constexpr uint16_t kShop = 443;  // mh
constexpr uint16_t kWeb = 80;    // rr
constexpr auto kTcp = IpProtocol::kTcp;
constexpr auto kUdp = IpProtocol::kUdp;

class MetMidway : public InBothFamilies {
 protected:
  [[nodiscard]] PacketBuilder shop(uint16_t client_port, uint8_t flags, uint32_t sequence = 5000) {
    return from_client().tcp(client_port, kShop, flags).sequence(sequence);
  }
  [[nodiscard]] const Connection* connection(uint16_t client_port, uint16_t vip_port = kShop) {
    return network.connection(flow(client_port, vip_port));
  }
  // What a router says about a packet of the server's.
  [[nodiscard]] Frame too_big(uint16_t client_port, uint16_t vip_port,
                              IpProtocol protocol = kTcp) const {
    const auto ip = packet().ip(family.vip, family.client);
    const Frame about = protocol == kTcp
                            ? PacketBuilder(ip).tcp(vip_port, client_port, kAck).build()
                            : PacketBuilder(ip).udp(vip_port, client_port).build();
    const auto error = packet().ip(family.router, family.vip);
    return family.is_v4() ? PacketBuilder(error)
                                .icmp_error(kIcmpDestinationUnreachable, kIcmpFragmentationNeeded,
                                            about, {0, 0, 0x05, 0x78})
                                .build()
                          : PacketBuilder(error)
                                .icmp_error(kIcmpv6PacketTooBig, 0, about, {0, 0, 0x05, 0x78})
                                .build();
  }
};
BALLAST_IN_BOTH_FAMILIES(MetMidway);

// ---- two nodes

// One client's traffic with one VIP, which `a` sees first and `b` from some point on.
class Conversation {
 public:
  Conversation(const Family4or6& family, std::mt19937& random)
      : family_(family),
        random_(random),
        client_(family.is_v4() ? fmt::format("198.51.{}.{}", random() % 256, 1 + random() % 254)
                               : fmt::format("2001:db8:1::{:x}", 1 + random() % 65535)),
        port_(static_cast<uint16_t>(1024 + random() % 60000)),
        udp_(random() % 4 == 0) {}

  // The server that it has had throughout.
  int run(TestNetwork& a, TestNetwork& b) {
    const int server = send(a, kSyn);
    EXPECT_NE(server, 0);
    for (size_t before = random_() % 4; before > 0; --before) {
      EXPECT_EQ(send(a, any_flags()), server);
    }
    for (size_t after = 1 + random_() % 6; after > 0; --after) {
      EXPECT_EQ(send(b, any_flags()), server) << client_ << " " << port_;
    }
    EXPECT_EQ(send(b, random_() % 2 == 0 ? kRst : kFin | kAck), server) << client_ << " " << port_;
    return server;
  }

 private:
  uint8_t any_flags() {
    static constexpr std::array<uint8_t, 4> kFlags{kAck, kAck | kPsh, kAck | kFin,
                                                   kAck | kPsh | kFin};
    return kFlags[random_() % kFlags.size()];
  }
  int send(TestNetwork& node, uint8_t flags) {
    const auto ip = packet().ip(client_, family_.vip);
    if (udp_) {
      return node.send(PacketBuilder(ip).udp(port_, kShop).payload("move")).server();
    }
    sequence_ += static_cast<uint32_t>(random_() % 3000);
    return node.send(PacketBuilder(ip).tcp(port_, kShop, flags).sequence(sequence_)).server();
  }

  const Family4or6& family_;
  std::mt19937& random_;
  std::string client_;
  uint16_t port_;
  bool udp_;
  uint32_t sequence_ = static_cast<uint32_t>(random_());
};

TEST_P(MetMidway, GoOnWithTheSameServerOnAnotherNode) {
  std::mt19937 random(4);
  for (const std::vector<int>& up :
       {std::vector{1, 2, 3}, std::vector{2, 3}, std::vector{1, 3}, std::vector{2}}) {
    TestNetwork a;
    TestNetwork::Options other;
    other.flow_hash_seed = 77;
    other.configured = {3, 1, 2};
    TestNetwork b(other);
    for (TestNetwork* node : {&a, &b}) {
      node->use_servers("shop", up);
      node->use_servers("game", up);
    }
    std::set<int> servers;
    for (int i = 0; i < 1000; ++i) {
      servers.insert(Conversation(family, random).run(a, b));
    }
    EXPECT_EQ(servers, std::set<int>(up.begin(), up.end()));
  }
}

TEST_P(MetMidway, GoOnWithTheSameServerAfterTheTableForgotThem) {
  for (uint16_t port = 1; port <= 200; ++port) {
    const int server = network.send(shop(port, kSyn)).server();
    network.send(shop(port, kAck, 5001));
    network.pass(900 * kSecond);
    ASSERT_EQ(network.connections().size(), 0U);
    EXPECT_EQ(network.send(shop(port, kAck | kPsh, 9000)).server(), server);
  }
}

// ---- what a segment leaves behind

TEST_P(MetMidway, AreEstablishedAndTrustedWhenTheClientGoesOn) {
  for (const uint32_t further : {0U, 1U, 1448U, 65535U}) {
    for (const uint32_t first : {7000U, 0xffffffffU}) {
      TestNetwork fresh;
      fresh.send(shop(40000, kAck | kPsh, first));
      const Connection* met = fresh.connection(flow(40000, kShop));
      ASSERT_NE(met, nullptr);
      EXPECT_EQ(met->state, ConnectionState::kEstablished);
      EXPECT_FALSE(met->trusted);
      fresh.send(shop(40000, kAck, first - 1));
      fresh.send(shop(40000, kAck, first + 65536));
      EXPECT_FALSE(met->trusted) << "not from this window";
      fresh.send(shop(40000, kAck, first + further));
      EXPECT_TRUE(met->trusted) << further;
    }
  }
}

TEST_P(MetMidway, AreClosingAfterAFin) {
  EXPECT_NE(network.send(shop(40000, kFin | kAck)).server(), 0);
  ASSERT_NE(connection(40000), nullptr);
  EXPECT_EQ(connection(40000)->state, ConnectionState::kClose);
  network.pass(10 * kSecond);
  EXPECT_EQ(network.connections().size(), 0U);
}

TEST_P(MetMidway, LeaveNothingAfterAReset) {
  const int server = network.send(shop(40000, kAck)).server();
  TestNetwork other;
  for (const int flags : {kRst + 0, kRst | kAck}) {
    EXPECT_EQ(other.send(shop(40000, static_cast<uint8_t>(flags))).server(), server);
  }
  EXPECT_EQ(other.connections().size(), 0U);
  EXPECT_EQ(other.counters().forwarded_without_state.read(), 0U) << "there is room";
}

TEST_P(MetMidway, AreNotOpenedByWhatNoClientSends) {
  for (const int flags : {kSyn | kAck, kPsh + 0, kFin | kPsh}) {
    const Outcome outcome = network.send(shop(40000, static_cast<uint8_t>(flags)));
    EXPECT_EQ(outcome.reason, DropReason::kNotSyn);
    EXPECT_EQ(network.connections().size(), 0U);
  }
}

TEST_P(MetMidway, AreRefusedWithoutAUsableServer) {
  network.use_servers("shop", {});
  EXPECT_EQ(network.send(shop(40000, kAck)).reason, DropReason::kNoUsableServer);
  const Outcome reset = network.send(shop(40000, kRst));
  EXPECT_EQ(reset.reason, DropReason::kNoUsableServer);
  EXPECT_EQ(reset.verdict, Verdict::kDrop) << "nobody answers a reset";
  EXPECT_EQ(network.send(too_big(40000, kShop)).reason, DropReason::kIcmpUnmatched);
  EXPECT_EQ(network.connections().size(), 0U);
}

TEST_P(MetMidway, AreRefusedWhereTheSchedulerDoesNotHash) {
  for (const int flags : {kAck + 0, kAck | kPsh, kFin | kAck, kSyn | kAck, kRst + 0}) {
    const Outcome outcome = network.send(segment(40000, static_cast<uint8_t>(flags), kWeb));
    EXPECT_EQ(outcome.reason, DropReason::kNotSyn);
    EXPECT_EQ(outcome.verdict, (flags & kRst) != 0 ? Verdict::kDrop : Verdict::kTransmit);
  }
  EXPECT_EQ(network.send(too_big(40000, kWeb)).reason, DropReason::kIcmpUnmatched);
  EXPECT_EQ(network.connections().size(), 0U);
}

TEST_P(MetMidway, AreRefusedWhereTheModeKeepsMoreThanTheServer) {
  network.service("shop").mode = ForwardingMode::kFullNat;
  EXPECT_EQ(network.send(shop(40000, kAck)).reason, DropReason::kNotSyn);
  EXPECT_EQ(network.send(shop(40000, kRst)).reason, DropReason::kNotSyn);
  EXPECT_EQ(network.send(too_big(40000, kShop)).reason, DropReason::kIcmpUnmatched);
}

TEST_P(MetMidway, LearnThatTheirPacketsAreTooBig) {
  TestNetwork other;
  for (uint16_t port = 1; port <= 50; ++port) {
    const Outcome tcp = network.send(too_big(port, kShop));
    const Outcome udp = network.send(too_big(port, kShop, kUdp));
    EXPECT_EQ(network.connections().size(), 0U);
    EXPECT_EQ(tcp.server(), other.send(shop(port, kSyn)).server());
    EXPECT_EQ(udp.server(), other.send(from_client().udp(port, kShop)).server());
  }
}

// ---- floods

TEST_P(MetMidway, DoNotPushOutWhatOthersOpen) {
  TestNetwork::Options options;
  options.connections = {.trusted = 64, .untrusted = 32};
  TestNetwork small(options);
  const auto web = [&](uint16_t port, uint8_t flags) {
    return small.send(segment(port, flags, kWeb)).server();
  };
  const int old = web(1, kSyn);
  EXPECT_EQ(web(1, kAck), old);
  for (uint16_t i = 0; i < 2000; ++i) {
    EXPECT_NE(small.send(shop(static_cast<uint16_t>(20000 + i), kAck)).server(), 0);
  }
  for (uint16_t port = 2; port <= 20; ++port) {
    const int server = web(port, kSyn);
    for (uint16_t i = 0; i < 31; ++i) {  // as many as fit between its SYN and its ACK
      small.send(shop(static_cast<uint16_t>(30000 + 100 * port + i), i % 2 != 0 ? kAck : kSyn));
    }
    EXPECT_EQ(web(port, kAck), server);
    EXPECT_EQ(web(1, kAck | kPsh), old);
  }
  EXPECT_EQ(small.connections().trusted(), 20U);
  EXPECT_EQ(small.counters().evicted.read(), 0U);
}

TEST_P(MetMidway, AreForwardedWithoutStateWhereTheTableHasNoRoom) {
  TestNetwork::Options options;
  options.connections = {.trusted = 1, .untrusted = 0};
  TestNetwork full(options);
  uint64_t forwarded = 0;
  for (uint16_t port = 1; port <= 50; ++port) {
    const int server = network.send(shop(port, kSyn)).server();
    for (const int flags : {kSyn + 0, kAck + 0, kAck | kPsh, kAck | kFin}) {
      EXPECT_EQ(full.send(shop(port, static_cast<uint8_t>(flags))).server(), server);
      EXPECT_EQ(full.counters().forwarded_without_state.read(), ++forwarded);
    }
    const auto datagram = from_client().udp(port, kShop);
    EXPECT_EQ(full.send(datagram).server(), network.send(datagram).server());
    EXPECT_EQ(full.counters().forwarded_without_state.read(), ++forwarded);
  }
  EXPECT_EQ(full.connections().size(), 0U);
  EXPECT_EQ(full.send(segment(40000, kSyn)).reason, DropReason::kUntrustedQuota) << "rr";
  for (const ServerIndex server : full.servers_of("shop", 1)) {
    EXPECT_EQ(full.active_connections(server) + full.inactive_connections(server), 0U);
  }
}

}  // namespace
}  // namespace ballast::testing
