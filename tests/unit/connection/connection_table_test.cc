#include "dataplane/connection/connection_table.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/connection/flows.h"

namespace ballast {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// A table whose ends are written down, over flows by number.
class Table {
 public:
  explicit Table(const ConnectionLimits& limits)
      : table_(
            limits, kTestHashKey,
            [this](const Connection& connection) { return timeouts.of(connection.state); },
            [this](const Connection& connection, ConnectionEnd reason) {
              ends[reason].push_back(index(connection.server));
            }) {}

  ConnectionTable* operator->() { return &table_; }

  // The flow's number goes where a server would, so that ends can be told apart.
  Connection* open(uint32_t number, Seconds32 now,
                   ConnectionState state = ConnectionState::kSynReceived) {
    Connection* connection = table_.insert(flow(number), now);
    if (connection != nullptr) {
      connection->server = ServerIndex{number};
      connection->state = state;
      table_.arm(*connection, now);
    }
    return connection;
  }
  bool establish(uint32_t number, Seconds32 now) {
    Connection* connection = open(number, now);
    connection->state = ConnectionState::kEstablished;
    return table_.trust(*connection, now);
  }
  void change(uint32_t number, ConnectionState state, Seconds32 now) {
    Connection* connection = table_.find(flow(number));
    ASSERT_NE(connection, nullptr);
    connection->state = state;
    table_.arm(*connection, now);
  }
  bool holds(uint32_t number) {
    const Connection* connection = table_.find(flow(number));
    return connection != nullptr && connection->key == flow(number) &&
           index(connection->server) == number;
  }

  Timeouts timeouts;
  std::map<ConnectionEnd, std::vector<uint32_t>> ends;

 private:
  ConnectionTable table_;
};

constexpr uint32_t kAll = UINT32_MAX;  // a budget that never ends

TEST(ConnectionTable, FindsEveryFlowAndNoOtherAtFourFifthsAndAtFullQuota) {
  Table table({40'000, 20'000});
  for (uint32_t i = 0; i < 60'000; ++i) {
    ASSERT_NE(table.open(i, 1), nullptr);
    if (i < 40'000) {
      ASSERT_TRUE(table->trust(*table->find(flow(i)), 1));
    }
    if (i + 1 == 48'000 || i + 1 == 60'000) {
      for (uint32_t j = 0; j < 120'000; ++j) {
        ASSERT_EQ(table->find(flow(j)) != nullptr, j <= i);
        ASSERT_TRUE(j > i || table.holds(j));
      }
    }
  }
  EXPECT_EQ(table->size(), 60'000U);
  EXPECT_EQ(table->trusted(), 40'000U);
  EXPECT_EQ(table->untrusted(), 20'000U);
  EXPECT_THAT(table.ends, IsEmpty());
}

TEST(ConnectionTable, ANewEntryIsBlankButForItsKeyAndTimeAlsoWhereAnotherLived) {
  Table table({1, 1});
  Connection* connection = table.open(1, 7);
  connection->next_sequence = 99;
  ASSERT_TRUE(table->trust(*connection, 7));
  table->remove(*connection);
  connection = table->insert(flow(2), 8);
  ASSERT_NE(connection, nullptr);
  EXPECT_EQ(connection->key, flow(2));
  EXPECT_EQ(connection->last_seen, 8U);
  EXPECT_EQ(connection->server, kNoServer);
  EXPECT_EQ(connection->next_sequence, 0U);
  EXPECT_EQ(connection->state, ConnectionState::kNone);
  EXPECT_FALSE(connection->trusted);
}

TEST(ConnectionTable, ABurstFindsWhatSingleLookupsFind) {
  Table table({10'000, 10'000});
  for (uint32_t i = 0; i < 10'000; ++i) {
    table.open(i, 1);
  }
  std::mt19937 random(1);
  std::array<ConnectionTable::Probe, ConnectionTable::kMaxBurst> probes;
  std::array<FlowKey, ConnectionTable::kMaxBurst> keys;
  for (uint32_t round = 0; round < 5000; ++round) {
    for (size_t i = 0; i < probes.size(); ++i) {
      keys[i] = flow(static_cast<uint32_t>(random() % 20'000));
      table->prefetch_bucket(keys[i], probes[i]);
    }
    for (ConnectionTable::Probe& probe : probes) {
      table->prefetch_entry(probe);
    }
    for (size_t i = 0; i < probes.size(); ++i) {
      ASSERT_EQ(table->find(keys[i], probes[i]), table->find(keys[i]));
    }
  }
}

TEST(ConnectionTable, AStaleProbeFindsWhatIsThereNowWhateverHasChangedSince) {
  Table table({200, 50});
  std::mt19937 random(2);
  std::set<uint32_t> present;
  for (uint32_t round = 0; round < 200'000; ++round) {
    const auto number = static_cast<uint32_t>(random() % 60);
    ConnectionTable::Probe probe;
    table->prefetch_bucket(flow(number), probe);
    table->prefetch_entry(probe);
    for (uint32_t change = 0; change < 3; ++change) {
      // Often the same flow, often another that takes the entry which it has left.
      const auto other = random() % 2 == 0 ? number : static_cast<uint32_t>(random() % 60);
      if (present.contains(other)) {
        table->remove(*table->find(flow(other)));
        present.erase(other);
      } else if (present.size() < 50) {
        ASSERT_NE(table.open(other, 1), nullptr);
        present.insert(other);
      }
    }
    const Connection* found = table->find(flow(number), probe);
    ASSERT_EQ(found != nullptr, present.contains(number));
    ASSERT_TRUE(found == nullptr || found->key == flow(number));
  }
}

TEST(ConnectionTable, AnEmptyTableFindsNothingNotEvenABlankKey) {
  Table table({10, 10});
  ConnectionTable::Probe probe;
  EXPECT_EQ(table->find(FlowKey{}), nullptr);
  table->prefetch_bucket(FlowKey{}, probe);
  table->prefetch_entry(probe);
  EXPECT_EQ(table->find(FlowKey{}, probe), nullptr);
}

// ---- quotas

TEST(ConnectionTable, AFullUntrustedQuotaRecyclesTheOldestFirstAndInOrderOfComingWithinASecond) {
  Table table({10, 4});
  table.open(1, 10);
  table.open(2, 9);
  table.open(3, 10);
  table.open(4, 11);
  for (uint32_t i = 5; i <= 8; ++i) {
    ASSERT_NE(table.open(i, 12), nullptr);
  }
  EXPECT_THAT(table.ends[ConnectionEnd::kRecycledUntrusted], ElementsAre(2, 1, 3, 4));
  EXPECT_EQ(table->untrusted(), 4U);
}

TEST(ConnectionTable, RecyclingLooksAtTheLastPacketNotAtTheFirst) {
  Table table({10, 3});
  table.open(1, 10);
  table.open(2, 11);
  table.open(3, 12);
  table->find(flow(1))->last_seen = 20;
  table.open(4, 21);
  table.open(5, 21);
  table.open(6, 21);
  EXPECT_THAT(table.ends[ConnectionEnd::kRecycledUntrusted], ElementsAre(2, 3, 1));
}

TEST(ConnectionTable, RecyclingGoesByTheLastPacketWhereEndsAreHoursAway) {
  Table table({10, 3});
  table.timeouts.seconds.fill(86'400);
  table.open(1, 10);
  table.open(2, 700);
  table.open(3, 700);
  table->find(flow(1))->last_seen = 800;
  for (uint32_t i = 4; i <= 6; ++i) {
    table.open(i, 900);
  }
  EXPECT_THAT(table.ends[ConnectionEnd::kRecycledUntrusted], ElementsAre(2, 3, 1));
}

TEST(ConnectionTable, AFloodOfNewFlowsNeverPushesOutATrustedOneNorAClosingOne) {
  Table table({1000, 500});
  for (uint32_t i = 0; i < 1000; ++i) {
    ASSERT_TRUE(table.establish(i, 1));
  }
  for (uint32_t i = 0; i < 1000; i += 3) {
    table.change(i, ConnectionState::kTimeWait, 1);
  }
  for (uint32_t i = 1000; i < 1'000'000; ++i) {
    ASSERT_NE(table.open(i, 2 + i / 50'000), nullptr);
  }
  for (uint32_t i = 0; i < 1000; ++i) {
    ASSERT_TRUE(table.holds(i));
  }
  const std::vector<uint32_t>& recycled = table.ends[ConnectionEnd::kRecycledUntrusted];
  ASSERT_EQ(recycled.size(), 999'000U - 500U);
  for (uint32_t i = 0; i < recycled.size(); ++i) {
    ASSERT_EQ(recycled[i], 1000 + i);  // in the order in which they came
  }
  EXPECT_EQ(table.ends.size(), 1U);
}

TEST(ConnectionTable, ThereIsNoNewFlowWithoutUntrustedQuotaAndNoTrustWithoutTrusted) {
  Table none({10, 0});
  EXPECT_EQ(none->insert(flow(1), 1), nullptr);
  Table distrustful({0, 10});
  Connection* connection = distrustful.open(1, 1);
  ASSERT_NE(connection, nullptr);
  EXPECT_FALSE(distrustful->trust(*connection, 1));
  EXPECT_TRUE(distrustful.holds(1));
}

TEST(ConnectionTable, AFullTrustedQuotaEvictsTheClosingEntryNearestToItsEnd) {
  Table table({4, 4});
  for (uint32_t i = 1; i <= 4; ++i) {
    ASSERT_TRUE(table.establish(i, 1));
  }
  table.change(1, ConnectionState::kTimeWait, 5);  // ends at 125
  table.change(2, ConnectionState::kClose, 6);     // ends at 16
  table.change(3, ConnectionState::kLastAck, 7);   // ends at 37
  table->find(flow(2))->last_seen = 40;            // now at 50
  EXPECT_TRUE(table.establish(11, 41));
  EXPECT_TRUE(table.establish(12, 41));
  EXPECT_TRUE(table.establish(13, 41));
  EXPECT_THAT(table.ends[ConnectionEnd::kEvictedClosing], ElementsAre(3, 2, 1));
  EXPECT_FALSE(table.establish(14, 42));  // none is closing any more
  EXPECT_TRUE(table.holds(4));
  EXPECT_TRUE(table.holds(14));
  EXPECT_FALSE(table->find(flow(14))->trusted);
  EXPECT_EQ(table->trusted(), 4U);
  EXPECT_EQ(table->untrusted(), 1U);
}

TEST(ConnectionTable, AClosingUntrustedEntryStaysAmongTheUntrusted) {
  Table table({1, 2});
  ASSERT_TRUE(table.establish(1, 1));
  table.open(2, 1);
  table.change(2, ConnectionState::kClose, 1);
  EXPECT_FALSE(table.establish(3, 1));  // 2 is closing, but takes no trusted place
  EXPECT_TRUE(table.holds(2));
  table.open(4, 1);
  EXPECT_THAT(table.ends[ConnectionEnd::kRecycledUntrusted], ElementsAre(2));
}

TEST(ConnectionTable, AnEntryThatLeavesClosingIsNotEvicted) {
  Table table({1, 2});
  ASSERT_TRUE(table.establish(1, 1));
  table.change(1, ConnectionState::kTimeWait, 2);
  table.change(1, ConnectionState::kSynReceived, 3);
  EXPECT_FALSE(table.establish(2, 4));
  EXPECT_TRUE(table.holds(1));
}

TEST(ConnectionTable, TrustingTwiceCountsOnce) {
  Table table({1, 2});
  ASSERT_TRUE(table.establish(1, 1));
  EXPECT_TRUE(table->trust(*table->find(flow(1)), 1));
  EXPECT_EQ(table->trusted(), 1U);
  EXPECT_EQ(table->untrusted(), 0U);
}

TEST(ConnectionTable, AnEndIsReportedWhileTheEntryIsStillWhole) {
  std::vector<std::string> ended;
  const auto note = [&ended](const Connection& connection, ConnectionEnd) {
    ended.push_back(connection.key == flow(index(connection.server)) ? "whole" : "broken");
  };
  ConnectionTable table(
      {1, 1}, kTestHashKey, [](const Connection&) { return 10; }, note);
  for (uint32_t i = 1; i <= 4; ++i) {
    Connection* connection = table.insert(flow(i), i);
    connection->server = ServerIndex{i};
    table.arm(*connection, i);
    if (i % 2 == 0) {
      connection->state = ConnectionState::kClose;
      ASSERT_TRUE(table.trust(*connection, i));
    }
  }
  table.expire(1000, kAll);
  EXPECT_THAT(ended, ElementsAre("whole", "whole", "whole", "whole"));
  EXPECT_EQ(table.size(), 0U);
}

// ---- expiry

TEST(ConnectionTable, EndsAFlowInTheSecondInWhichItIsDueAndNotBefore) {
  for (const uint32_t timeout : {1U, 2U, 60U, 4094U, 4095U, 4096U, 4097U, 10'000U, 86'400U}) {
    Table table({10, 10});
    table.timeouts.seconds.fill(timeout);
    table.open(1, 1000);
    for (Seconds32 now = 1000; now < 1000 + timeout; ++now) {
      table->expire(now);
      ASSERT_TRUE(table.holds(1)) << timeout << " at " << now;
    }
    table->expire(1000 + timeout);
    EXPECT_FALSE(table.holds(1)) << timeout;
    EXPECT_THAT(table.ends[ConnectionEnd::kExpired], ElementsAre(1));
  }
}

TEST(ConnectionTable, APacketPutsTheEndOffWithoutBeingTold) {
  Table table({10, 10});
  ASSERT_TRUE(table.establish(1, 0));
  for (Seconds32 now = 1; now <= 100'000; ++now) {
    if (now % 800 == 0) {
      table->find(flow(1))->last_seen = now;
    }
    table->expire(now, 1);
    ASSERT_TRUE(table.holds(1)) << now;
  }
  table->expire(100'000 + 899);
  EXPECT_TRUE(table.holds(1));
  table->expire(100'000 + 900);
  EXPECT_FALSE(table.holds(1));
}

TEST(ConnectionTable, AShorterTimeoutHoldsAtOnceWhenTheStateChanges) {
  Table table({10, 10});
  ASSERT_TRUE(table.establish(1, 0));
  table.change(1, ConnectionState::kClose, 100);
  table->expire(109);
  EXPECT_TRUE(table.holds(1));
  table->expire(110);
  EXPECT_FALSE(table.holds(1));
}

TEST(ConnectionTable, WakesRightAfterANightInWhichNothingRan) {
  Table table({1000, 1000});
  table.timeouts.seconds[static_cast<size_t>(ConnectionState::kUdp)] = 50'000;
  for (uint32_t i = 0; i < 500; ++i) {
    table.open(i, i);
  }
  for (uint32_t i = 500; i < 1000; ++i) {
    table.open(i, 500, ConnectionState::kUdp);
  }
  table->expire(40'000, kAll);
  EXPECT_EQ(table->size(), 500U);
  for (uint32_t i = 500; i < 1000; ++i) {
    ASSERT_TRUE(table.holds(i));
  }
  table.open(2000, 40'000, ConnectionState::kUdp);
  table->expire(50'500 - 1, kAll);
  EXPECT_EQ(table->size(), 501U);
  table->expire(90'000 - 1, kAll);
  EXPECT_EQ(table->size(), 1U);
  table->expire(90'000, kAll);
  EXPECT_EQ(table->size(), 0U);
}

TEST(ConnectionTable, ASmallBudgetDoesTheRestNextTimeAndStarvesNoWheel) {
  Table table({3000, 1000});
  for (uint32_t i = 0; i < 2000; ++i) {
    ASSERT_TRUE(table.establish(i, 0));
  }
  for (uint32_t i = 0; i < 1000; ++i) {
    table.change(i, ConnectionState::kTimeWait, 0);
  }
  for (uint32_t i = 2000; i < 3000; ++i) {
    table.open(i, 0);
  }
  uint32_t before = table->size();
  for (uint32_t call = 0; call < 30; ++call) {
    table->expire(1000, 10);
    ASSERT_EQ(table->size(), before - 10);
    before -= 10;
  }
  EXPECT_EQ(table->trusted(), 1800U);  // each wheel had its turn
  EXPECT_EQ(table->untrusted(), 900U);
  for (uint32_t call = 0; call < 270; ++call) {
    table->expire(1000, 10);
  }
  EXPECT_EQ(table->size(), 0U);
}

TEST(ConnectionTable, SaysHowLongAFlowWouldLast) {
  Table table({10, 10});
  Connection* connection = table.open(1, 100);
  EXPECT_EQ(table->expires_in(*connection, 100), 60U);
  EXPECT_EQ(table->expires_in(*connection, 159), 1U);
  EXPECT_EQ(table->expires_in(*connection, 160), 0U);
  EXPECT_EQ(table->expires_in(*connection, 5000), 0U);
  connection->last_seen = 130;
  EXPECT_EQ(table->expires_in(*connection, 159), 31U);
}

// ---- visits and memory

TEST(ConnectionTable, AVisitSeesEachEntryThatStaysExactlyOnceWhileOthersComeAndGo) {
  Table table({1000, 1000});
  std::mt19937 random(9);
  for (uint32_t round = 0; round < 200; ++round) {
    std::set<uint32_t> stays;
    std::map<uint32_t, uint32_t> seen;
    for (uint32_t i = 0; i < 1500; ++i) {
      if (Connection* connection = table->find(flow(i)); connection != nullptr) {
        table->remove(*connection);
      }
    }
    for (uint32_t i = 0; i < 900; ++i) {
      ASSERT_NE(table.open(i, 1), nullptr);
      if (i % 3 != 0) {
        stays.insert(i);
      }
    }
    ConnectionIndex cursor = 0;
    do {
      const auto count = static_cast<uint32_t>(random() % 100 + 1);
      cursor = table->visit(cursor, count, [&seen](const Connection& connection) {
        ++seen[index(connection.server)];
      });
      for (uint32_t change = 0; change < 30; ++change) {
        const auto number = static_cast<uint32_t>(random() % 300 * 3);
        if (Connection* connection = table->find(flow(number)); connection != nullptr) {
          table->remove(*connection);
        } else {
          table.open(number, 1);
        }
      }
    } while (cursor != 0);
    for (const uint32_t number : stays) {
      ASSERT_EQ(seen[number], 1U);
    }
  }
}

TEST(ConnectionTable, AVisitOfAnEmptyTableEndsAtOnceAndOneBeyondTheEndToo) {
  Table table({10, 10});
  const auto none = [](const Connection&) { FAIL(); };
  EXPECT_EQ(table->visit(0, 100, none), 0U);
  EXPECT_EQ(table->visit(UINT32_MAX, UINT32_MAX, none), 0U);
  table.open(1, 1);
  EXPECT_EQ(table->visit(2, 100, none), 0U);
}

TEST(ConnectionTable, TakesAtMost128BytesAFlowAtFourFifthsOfItsSize) {
  for (const uint32_t trusted : {100'000U, 1'000'000U, 1'260'000U, 1'310'000U, 4'000'000U}) {
    const ConnectionLimits limits{trusted, trusted / 10};
    const ConnectionTable table(limits, kTestHashKey, nullptr, nullptr);
    const double flows = 0.8 * (limits.trusted + limits.untrusted);
    EXPECT_LE(static_cast<double>(table.memory_bytes()) / flows, 128) << trusted;
  }
}

class CountedMemory final : public TableMemory {
 public:
  void* allocate(size_t bytes) override {
    void* block = process_memory().allocate(bytes);
    blocks.insert(block);
    allocated += bytes;
    return block;
  }
  void free(void* block) override {
    EXPECT_EQ(blocks.erase(block), 1U);
    process_memory().free(block);
  }
  std::set<void*> blocks;
  size_t allocated = 0;
};

TEST(ConnectionTable, TakesAllItsMemoryAtConstructionAndGivesItBack) {
  CountedMemory memory;
  {
    ConnectionTable table(
        {100, 100}, kTestHashKey, [](const Connection&) { return 1; }, nullptr, memory);
    const size_t taken = memory.allocated;
    EXPECT_EQ(table.memory_bytes(), taken);
    for (uint32_t i = 0; i < 1000; ++i) {
      table.arm(*table.insert(flow(i), i), i);
    }
    EXPECT_EQ(memory.allocated, taken);
  }
  EXPECT_TRUE(memory.blocks.empty());
}

}  // namespace
}  // namespace ballast
