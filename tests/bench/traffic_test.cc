// The traffic of the benchmarks is what their figures say it is.
#include "tests/bench/traffic.h"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "tests/bench/flow_book.h"

namespace ballast::bench {
namespace {

const std::vector<uint32_t> kSizes{1, 2, 3, 31, 32, 33, 1000, 1024, 9973, 10'000};

TEST(BenchTraffic, KnownFlowsComeOnceARound) {
  for (const uint32_t flows : kSizes) {
    Traffic traffic(Pattern::kKnown, flows, 7);
    for (int round = 0; round < 3; ++round) {
      std::set<uint32_t> seen;
      for (uint32_t i = 0; i < flows; ++i) {
        const Next next = traffic.next<Pattern::kKnown>();
        EXPECT_EQ(next.flags, kAck);
        EXPECT_TRUE(next.number >= 7 && next.number < 7 + flows);
        seen.insert(next.number);
      }
      EXPECT_EQ(seen.size(), flows);
    }
  }
}

TEST(BenchTraffic, EveryFlowIsOpenedBeforeItsSecondPacket) {
  for (const uint32_t flows : kSizes) {
    Traffic traffic(Pattern::kOpen, flows);
    std::set<uint32_t> opened;
    std::set<uint32_t> trusted;
    for (uint32_t i = 0; i < (flows + 31) / 32 * 64; ++i) {
      const Next next = traffic.next<Pattern::kOpen>();
      EXPECT_LT(next.number, flows);
      EXPECT_TRUE(next.flags == kSyn || opened.contains(next.number));
      (next.flags == kSyn ? opened : trusted).insert(next.number);
    }
    EXPECT_EQ(opened.size(), flows);
    EXPECT_EQ(trusted.size(), flows);
  }
}

// Opened by steps, flows come in the order of kOpen, each once a step.
TEST(BenchTraffic, StepsGoOverTheFlowsOfOpening) {
  for (const uint32_t flows : kSizes) {
    std::vector<uint32_t> opened;
    Traffic opening(Pattern::kOpen, flows, 7);
    for (uint32_t i = 0; i < (flows + 31) / 32 * 64; ++i) {
      const Next next = opening.next<Pattern::kOpen>();
      if (next.flags == kSyn && opened.size() < flows) {
        opened.push_back(next.number);
      }
    }
    std::vector<uint32_t> stepped;
    for (uint32_t begin = 0; begin < flows; begin += 100) {
      const uint32_t count = std::min(flows - begin, 100U);
      Traffic step(Step{begin, count, kSyn | kAck}, flows, 7);
      for (uint32_t i = 0; i < count; ++i) {
        const Next next = step.next<Pattern::kStep>();
        EXPECT_EQ(next.flags, kSyn | kAck);
        stepped.push_back(next.number);
      }
    }
    EXPECT_EQ(stepped, opened);
  }
}

// What is noted of a flow is found again when its turn comes.
TEST(BenchTraffic, TheBookIsInTheOrderOfTurns) {
  for (const uint32_t flows : kSizes) {
    FlowBook book(flows);
    Traffic traffic(Pattern::kKnown, flows);
    for (uint32_t i = 0; i < 2 * flows; ++i) {
      const uint32_t turn = traffic.next_turn();
      EXPECT_EQ(turn, i % flows);
      EXPECT_EQ(book.turn_of(traffic.next<Pattern::kKnown>().number), turn);
    }
  }
}

// Of ten packets one SYN of a flow never seen, one FIN of an open flow, eight ACKs to open flows;
// the number of open flows stays, and every flow gets its share.
TEST(BenchTraffic, MixedTrafficOpensAsManyFlowsAsItCloses) {
  for (const uint32_t flows : kSizes) {
    Traffic traffic(Pattern::kMixed, flows);
    std::map<uint32_t, uint32_t> open;  // ACKs, by flow
    for (uint32_t number = 0; number < flows; ++number) {
      open[number] = 0;
    }
    uint32_t newest = flows;
    uint64_t starved = 0;
    for (uint32_t block = 0; block < 3 * flows; ++block) {
      std::map<uint8_t, int> kinds;
      for (int i = 0; i < 10; ++i) {
        const Next next = traffic.next<Pattern::kMixed>();
        ++kinds[next.flags];
        if (next.flags == kSyn) {
          EXPECT_TRUE(next.number >= newest / flows * flows && !open.contains(next.number));
          open[next.number] = 0;
          newest = std::max(newest, next.number);
        } else if (next.flags == kAck) {
          ASSERT_TRUE(open.contains(next.number)) << "flows " << flows << " block " << block;
          ++open[next.number];
        } else {
          ASSERT_TRUE(open.contains(next.number));
          starved += next.number >= flows && open[next.number] < 6 ? 1 : 0;
          open.erase(next.number);
        }
      }
      EXPECT_EQ(kinds[kSyn], 1);
      EXPECT_EQ(kinds[kAck], 8);
      EXPECT_EQ(kinds[kFin | kAck], 1);
      EXPECT_EQ(open.size(), flows);
    }
    EXPECT_EQ(starved, 0U);
  }
}

TEST(BenchTraffic, AFloodNeverRepeatsASyn) {
  Traffic traffic(Pattern::kFlood, 100);
  std::set<uint32_t> seen;
  for (int i = 0; i < 1'000'000; ++i) {
    const Next next = traffic.next<Pattern::kFlood>();
    if (next.flags == kSyn) {
      ASSERT_TRUE(seen.insert(next.number).second);
      ASSERT_GE(next.number, Traffic::kFirstOfFlood);
    } else {
      ASSERT_LT(next.number, 100U);
    }
  }
  EXPECT_EQ(seen.size(), 900'000U);
}

}  // namespace
}  // namespace ballast::bench
