#include "control/netlink/synced_table.h"

#include <optional>
#include <random>
#include <vector>

#include <gmock/gmock.h>

namespace ballast::netlink {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

using Table = SyncedTable<int, int>;

std::vector<int> end_dump(Table& table, bool keep_unseen = false) {
  std::vector<int> changed;
  table.end_dump(keep_unseen, [&changed](int key) { changed.push_back(key); });
  return changed;
}

TEST(SyncedTable, EventsChangeItAtOnce) {
  Table::Map live;
  Table table(live);
  EXPECT_TRUE(table.set(1, 10));
  EXPECT_FALSE(table.set(1, 10));
  EXPECT_TRUE(table.set(1, 11));
  EXPECT_FALSE(table.erase(2));
  EXPECT_TRUE(table.erase(1));
  EXPECT_THAT(live, IsEmpty());
}

TEST(SyncedTable, ADumpReplacesTheTableWhenItEndsAndSaysWhatDiffers) {
  Table::Map live{{1, 10}, {2, 20}, {3, 30}};
  Table table(live);
  table.begin_dump();
  table.collected(2) = 20;
  table.collected(3) = 31;
  table.collected(4) = 40;
  EXPECT_THAT(live, ElementsAre(Pair(1, 10), Pair(2, 20), Pair(3, 30)));
  EXPECT_THAT(end_dump(table), ElementsAre(1, 3, 4));
  EXPECT_THAT(live, ElementsAre(Pair(2, 20), Pair(3, 31), Pair(4, 40)));
}

TEST(SyncedTable, EventsDuringADumpAreRightWhateverTheDumpSays) {
  Table::Map live{{1, 10}, {2, 20}};
  Table table(live);
  table.begin_dump();
  table.collected(1) = 10;
  table.erase(1);
  table.set(2, 21);
  table.set(3, 30);
  table.collected(2) = 20;
  EXPECT_THAT(end_dump(table), IsEmpty()) << "the events were reported when they came";
  EXPECT_THAT(live, ElementsAre(Pair(2, 21), Pair(3, 30)));
}

TEST(SyncedTable, ADisturbedDumpRemovesNothing) {
  Table::Map live{{1, 10}, {2, 20}};
  Table table(live);
  table.begin_dump();
  table.collected(2) = 22;
  EXPECT_THAT(end_dump(table, true), ElementsAre(2));
  EXPECT_THAT(live, ElementsAre(Pair(1, 10), Pair(2, 22)));
}

TEST(SyncedTable, AnAbandonedDumpChangesNothing) {
  Table::Map live{{1, 10}};
  Table table(live);
  table.begin_dump();
  table.collected(7) = 70;
  table.abandon_dump();
  EXPECT_THAT(live, ElementsAre(Pair(1, 10)));
}

// A kernel that changes at random while it is dumped: events arrive late by a random delay, the
// dump reads each key at a random time. When all has arrived, the table is the kernel's.
TEST(SyncedTable, EndsEqualToTheKernelHoweverEventsAndDumpInterleave) {
  constexpr int kKeys = 8;
  std::mt19937 random(7);
  for (int round = 0; round < 3000; ++round) {
    std::map<int, int> kernel;
    Table::Map live;
    Table table(live);
    std::vector<std::pair<int, std::optional<int>>> queued;
    size_t delivered = 0;
    int dumped = 0;
    const auto deliver = [&] {
      const auto& [key, value] = queued[delivered++];
      value ? table.set(key, *value) : table.erase(key);
    };
    table.begin_dump();
    while (dumped < kKeys) {
      const auto what = random() % 3;
      const int key = static_cast<int>(random() % kKeys);
      if (what == 0) {
        const auto value =
            random() % 2 == 0 ? std::nullopt : std::optional(static_cast<int>(random() % 3));
        value ? void(kernel[key] = *value) : void(kernel.erase(key));
        queued.emplace_back(key, value);
      } else if (what == 1 && delivered < queued.size()) {
        deliver();
      } else if (what == 2) {
        if (const auto found = kernel.find(dumped); found != kernel.end()) {
          table.collected(dumped) = found->second;
        }
        ++dumped;
      }
    }
    end_dump(table);
    while (delivered < queued.size()) {
      deliver();
    }
    ASSERT_EQ(live, kernel) << "round " << round;
  }
}

}  // namespace
}  // namespace ballast::netlink
