// With several workers every flow has exactly one owner, whatever the NIC did.
#include <random>

#include <gtest/gtest.h>

#include "dataplane/packet/wire.h"
#include "tests/unit/pipeline/test_network.h"

namespace ballast::testing {
namespace {

constexpr uint16_t kWorkers = 4;

TestNetwork::Options four_workers() {
  TestNetwork::Options options;
  options.workers = kWorkers;
  return options;
}

class HandOver : public ::testing::TestWithParam<Family4or6> {
 protected:
  const Family4or6& family = GetParam();
  TestNetwork network{four_workers()};

  [[nodiscard]] PacketBuilder from_client() const { return packet().ip(family.client, family.vip); }
  // The worker that keeps the packet, when it comes in at `worker`.
  uint16_t owner_of(const Frame& frame, uint16_t worker, bool rss = false) {
    const Outcome outcome = network.send(frame, {.worker = worker, .rss = rss});
    return outcome.verdict == Verdict::kHandOver ? index(outcome.owner) : worker;
  }
  uint16_t owner_of(const Frame& frame) {
    const uint16_t owner = owner_of(frame, 0);
    for (uint16_t worker = 1; worker < kWorkers; ++worker) {
      EXPECT_EQ(owner_of(frame, worker), owner);
    }
    return owner;
  }
};
BALLAST_IN_BOTH_FAMILIES(HandOver);

TEST_P(HandOver, BringsAFlowToOneOwnerWhereverItComesIn) {
  std::array<int, kWorkers> flows{};
  for (uint16_t port = 1; port <= 200; ++port) {
    ++flows[owner_of(from_client().tcp(port, 80, kSyn).build())];
  }
  for (const int count : flows) {
    EXPECT_GT(count, 20);  // of 50
  }
}

TEST_P(HandOver, AgreesWithTheNic) {
  for (uint16_t port = 1; port <= 200; ++port) {
    for (const Frame& frame : {from_client().tcp(port, 80, kSyn).build(),
                               from_client().udp(port, 53).payload("query").build()}) {
      const uint16_t owner = owner_of(frame, 0);
      for (uint16_t worker = 0; worker < kWorkers; ++worker) {
        EXPECT_EQ(owner_of(frame, worker, true), owner);
      }
    }
  }
}

TEST_P(HandOver, BringsFirstFragmentsToTheirFlowThoughTheNicHashedNoPorts) {
  for (uint16_t port = 1; port <= 50; ++port) {
    const auto query = from_client().udp(port, 53).payload(Bytes(64, 'x'));
    const uint16_t owner = owner_of(PacketBuilder(query).build(), 0);
    const Frame first = PacketBuilder(query).fragment(0, 48, true).identification(port).build();
    EXPECT_EQ(network.send_to_owner(first, {.worker = 1, .rss = true}).worker, owner);
  }
}

TEST_P(HandOver, BringsPacketsWithOptionsOrExtensionHeadersToTheirFlow) {
  for (uint16_t port = 1; port <= 50; ++port) {
    const uint16_t owner = owner_of(from_client().tcp(port, 80, kAck).build(), 0);
    const auto builder = family.is_v4()
                             ? from_client().ipv4_options({1, 1, 1, 0})
                             : from_client().extension(IpProtocol::kDestinationOptions, {1, 12});
    EXPECT_EQ(owner_of(PacketBuilder(builder).tcp(port, 80, kAck).build(), 1, true), owner);
  }
}

TEST_P(HandOver, BringsIcmpErrorsToTheFlowTheyAreAbout) {
  for (uint16_t port = 1; port <= 50; ++port) {
    const uint16_t owner = owner_of(from_client().tcp(port, 80, kSyn).build(), 0);
    const Frame answer = packet().ip(family.vip, family.client).tcp(80, port, kAck).build();
    const Frame error =
        packet()
            .ip(family.router, family.vip)
            .icmp_error(family.is_v4() ? kIcmpTimeExceeded : kIcmpv6TimeExceeded, 0, answer)
            .build();
    EXPECT_EQ(owner_of(error), owner);
    EXPECT_EQ(owner_of(error, 1, true), owner);
  }
}

TEST_P(HandOver, KeepsOneConnectionPerFlowOnTheOwner) {
  for (uint16_t port = 1; port <= 100; ++port) {
    const Frame syn = from_client().tcp(port, 80, kSyn).sequence(1000).build();
    const Frame ack = from_client().tcp(port, 80, kAck).sequence(1001).build();
    const int server = network.send_to_owner(syn, {.worker = 0}).server();
    for (uint16_t worker = 0; worker < kWorkers; ++worker) {
      EXPECT_EQ(network.send_to_owner(ack, {.worker = worker}).server(), server);
    }
  }
  uint32_t sum = 0;
  for (uint16_t worker = 0; worker < kWorkers; ++worker) {
    sum += network.connections(worker).size();
  }
  EXPECT_EQ(sum, 100U);
}

TEST_P(HandOver, HappensOnceOnly) {
  for (uint16_t worker = 0; worker < kWorkers; ++worker) {
    const Outcome outcome =
        network.send(from_client().tcp(40000, 80, kSyn).build(),
                     {.worker = worker, .handed_over = ballast::HandOver::kFlow});
    EXPECT_EQ(outcome.verdict, Verdict::kTransmit);
  }
}

TEST_P(HandOver, IsNotMadeOfWhatAnyWorkerCanAnswer) {
  for (uint16_t worker = 0; worker < kWorkers; ++worker) {
    const auto how = TestNetwork::How{.worker = worker};
    EXPECT_EQ(network.send(from_client().echo_request(1, 2).build(), how).verdict,
              Verdict::kTransmit);
    EXPECT_EQ(
        network.send(packet().ip(family.client, family.node).tcp(1, 22, kSyn).build(), how).verdict,
        Verdict::kKernel);
  }
}

TEST(Steering, UsesEveryWorkerAboutEvenlyAndTheTableOfTheNic) {
  for (const auto workers : std::to_array<uint16_t>({1, 2, 3, 4, 7, 64})) {
    const Steering steering(kMicrosoftRssKey, workers);
    std::vector<int> entries(workers);
    for (uint32_t hash = 0; hash < Steering::kIndirection; ++hash) {
      ++entries[index(steering.owner(hash))];
      EXPECT_EQ(steering.owner(hash), steering.owner(hash + 5 * Steering::kIndirection));
    }
    const auto [least, most] = std::minmax_element(entries.begin(), entries.end());
    EXPECT_LE(*most - *least, 1);
  }
}

}  // namespace
}  // namespace ballast::testing
