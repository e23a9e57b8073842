// How much of what is the kernel's gets there.
#include <gtest/gtest.h>

#include "dataplane/packet/wire.h"
#include "tests/unit/pipeline/test_network.h"

namespace ballast::testing {
namespace {

constexpr uint32_t kPerSecond = 1000;
constexpr int kBurst = 100;  // a tenth of a second's worth

Frame vrrp_advert() {
  return packet()
      .ethernet(kVirtualMac, "01:00:5e:00:00:12")
      .ip("203.0.113.1", "224.0.0.18")
      .ttl(255)
      .protocol(IpProtocol::kVrrp)
      .payload(Bytes(12))
      .build();
}

Frame arp_for_node() {
  return packet()
      .ethernet(kClientMac, "ff:ff:ff:ff:ff:ff")
      .arp(kArpRequest, kClientMac, "203.0.113.1", "00:00:00:00:00:00", "203.0.113.2")
      .build();
}

Frame solicitation_of_node() {
  return packet()
      .ethernet(kClientMac, "33:33:ff:00:00:02")
      .ip("2001:db8:f::1", "ff02::1:ff00:2")
      .neighbor_solicitation("2001:db8:f::2", kClientMac)
      .build();
}

Frame to_node_tcp(uint16_t port) {
  return packet().ip("203.0.113.1", "203.0.113.2").tcp(40000, port, kAck).build();
}

// The peer's half of a session that this node opened.
Frame from_bgp() {
  return packet().ip("203.0.113.1", "203.0.113.2").tcp(179, 40000, kAck).build();
}

Frame to_node_udp(uint16_t port) {
  return packet().ip("2001:db8:f::1", "2001:db8:f::2").udp(40000, port).build();
}

// Every class, with what belongs to it.
const std::vector<std::vector<Frame>>& classes() {
  static const std::vector<std::vector<Frame>> kClasses{
      {vrrp_advert()},
      {arp_for_node(), solicitation_of_node()},
      {to_node_tcp(179), from_bgp(), to_node_udp(3784), to_node_udp(4784)},
      {to_node_tcp(22), to_node_udp(53)},
  };
  return kClasses;
}

TestNetwork::Options limited() {
  TestNetwork::Options options;
  options.punt = {kPerSecond, kPerSecond, kPerSecond, kPerSecond};
  return options;
}

int punted_of(TestNetwork& network, const Frame& frame, int packets) {
  int punted = 0;
  for (int i = 0; i < packets; ++i) {
    const Outcome outcome = network.send(frame);
    punted += outcome.verdict == Verdict::kKernel ? 1 : 0;
    EXPECT_TRUE(outcome.verdict == Verdict::kKernel || outcome.reason == DropReason::kPuntLimited);
  }
  return punted;
}

TEST(Punt, IsLimitedByClass) {
  TestNetwork network(limited());
  for (const std::vector<Frame>& frames : classes()) {
    EXPECT_EQ(punted_of(network, frames.front(), 1000), kBurst);
  }
  network.pass(10 * kMillisecond);
  for (const std::vector<Frame>& frames : classes()) {
    EXPECT_EQ(punted_of(network, frames.back(), 1000), 10);
  }
}

TEST(Punt, OfAFloodOfOneClassStarvesNoOther) {
  for (size_t flooded = 0; flooded < classes().size(); ++flooded) {
    TestNetwork network(limited());
    for (const Frame& frame : classes()[flooded]) {
      punted_of(network, frame, 1000);
    }
    for (size_t other = 0; other < classes().size(); ++other) {
      for (const Frame& frame : classes()[other]) {
        EXPECT_EQ(network.send(frame).verdict, other == flooded ? Verdict::kDrop : Verdict::kKernel)
            << flooded << " " << other;
      }
    }
  }
}

TEST(Punt, OfAClassWithLimitZeroIsNothing) {
  TestNetwork::Options options;
  options.punt.other = 0;
  TestNetwork network(options);
  EXPECT_EQ(punted_of(network, to_node_tcp(22), 10), 0);
  network.pass(kSecond);
  EXPECT_EQ(punted_of(network, to_node_tcp(22), 10), 0);
  EXPECT_EQ(punted_of(network, to_node_tcp(179), 10), 10);
}

TEST(TokenBucket, LetsThroughItsBurstAndThenItsRate) {
  TokenBucket bucket(10, 5);
  int passed = 0;
  for (int i = 0; i < 100; ++i) {
    passed += bucket.take(kSecond) ? 1 : 0;
  }
  EXPECT_EQ(passed, 5);
  EXPECT_FALSE(bucket.take(kSecond + kSecond / 10 - 1));
  EXPECT_TRUE(bucket.take(kSecond + kSecond / 10));
  EXPECT_FALSE(bucket.take(kSecond));  // time that goes back
}

TEST(TokenBucket, NeverOverflowsAndIsFullAfterAnyLongPause) {
  for (const uint32_t rate : {1U, 7U, 1'000'000'000U, UINT32_MAX}) {
    for (const uint32_t burst : {1U, 100U}) {
      for (const uint64_t pause : {uint64_t{200} * kSecond, uint64_t{1} << 63U}) {
        TokenBucket bucket(rate, burst);
        while (bucket.take(1)) {
        }
        uint32_t passed = 0;
        while (passed <= burst && bucket.take(1 + pause)) {
          ++passed;
        }
        EXPECT_EQ(passed, burst) << rate << " " << pause;
      }
    }
  }
}

}  // namespace
}  // namespace ballast::testing
