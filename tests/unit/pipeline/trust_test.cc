// Floods of what nobody answers for must not touch the connections of clients that are there.
#include <gtest/gtest.h>

#include "tests/unit/pipeline/test_network.h"

namespace ballast::testing {
namespace {

constexpr uint32_t kTrusted = 64;
constexpr uint32_t kUntrusted = 32;

TestNetwork::Options small_tables() {
  TestNetwork::Options options;
  options.connections = {.trusted = kTrusted, .untrusted = kUntrusted};
  return options;
}

class Trust : public ::testing::TestWithParam<Family4or6> {
 protected:
  const Family4or6& family = GetParam();
  TestNetwork network{small_tables()};

  Outcome segment(uint16_t port, uint8_t flags) {
    return network.send(packet()
                            .ip(family.client, family.vip)
                            .tcp(port, 80, flags)
                            .sequence((flags & kSyn) != 0 ? 1000 : 1001));
  }
  int establish(uint16_t port) {
    segment(port, kSyn);
    return segment(port, kAck).server();
  }
  void flood(uint16_t syns) {
    for (uint16_t i = 0; i < syns; ++i) {
      EXPECT_NE(segment(static_cast<uint16_t>(20000 + i), kSyn).server(), 0);
    }
  }
};
BALLAST_IN_BOTH_FAMILIES(Trust);

TEST_P(Trust, KeepsEstablishedConnectionsThroughASynFlood) {
  std::vector<int> servers;
  for (uint16_t port = 1; port <= kTrusted; ++port) {
    servers.push_back(establish(port));
  }
  flood(10'000);
  for (uint16_t port = 1; port <= kTrusted; ++port) {
    EXPECT_EQ(segment(port, kPsh | kAck).server(), servers[port - 1U]);
  }
  EXPECT_EQ(network.connections().trusted(), kTrusted);
  EXPECT_EQ(network.connections().untrusted(), kUntrusted);
  EXPECT_EQ(network.counters().recycled.read(), 10'000U - kUntrusted);
}

TEST_P(Trust, LetsNewClientsInDuringASynFlood) {
  for (uint16_t port = 1; port <= 20; ++port) {
    flood(1000);
    const int server = segment(port, kSyn).server();
    flood(kUntrusted - 1);  // as many as fit between its SYN and its ACK
    EXPECT_EQ(segment(port, kAck).server(), server);
  }
  EXPECT_EQ(network.connections().trusted(), 20U);
}

TEST_P(Trust, MakesRoomAmongTheTrustedByWhatIsClosing) {
  for (uint16_t port = 1; port <= kTrusted; ++port) {
    establish(port);
  }
  segment(7, kFin | kAck);
  EXPECT_NE(establish(1000), 0);
  EXPECT_EQ(network.counters().evicted.read(), 1U);
  EXPECT_EQ(network.connections().trusted(), kTrusted);
  EXPECT_EQ(segment(7, kAck).reason, DropReason::kNotSyn);
}

TEST_P(Trust, ForwardsAConnectionAllTheSameWhenThereIsNoRoomAmongTheTrusted) {
  for (uint16_t port = 1; port <= kTrusted; ++port) {
    establish(port);
  }
  const int server = establish(1000);
  EXPECT_NE(server, 0);
  EXPECT_EQ(segment(1000, kPsh | kAck).server(), server);
  EXPECT_EQ(network.connections().untrusted(), 1U);
}

TEST_P(Trust, DropsNewFlowsWhenThereIsNoRoomForThemAtAll) {
  TestNetwork::Options options;
  options.connections = {.trusted = 1, .untrusted = 0};
  TestNetwork tiny(options);
  const auto syn = packet().ip(family.client, family.vip).tcp(1, 80, kSyn);
  EXPECT_EQ(tiny.send(syn).reason, DropReason::kUntrustedQuota);
  for (const ServerIndex server : tiny.servers_of("web", 1)) {
    EXPECT_EQ(tiny.active_connections(server), 0U);
  }
}

}  // namespace
}  // namespace ballast::testing
