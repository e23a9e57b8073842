#include "dataplane/scheduler/round_robin.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/scheduler/scheduler_fixture.h"

namespace ballast {
namespace {

using testing::ElementsAre;

TEST(RoundRobin, GivesEqualTurnsWhateverTheWeights) {
  RoundRobin scheduler;
  scheduler.set_servers(servers_of_weights(std::vector<uint32_t>{100, 1, 7}));
  SchedulerCursor cursor;
  EXPECT_THAT(pick_many(scheduler, cursor, 7), ElementsAre(0, 1, 2, 0, 1, 2, 0));
}

TEST(RoundRobin, TakesTurnsStrictlyFromAnyPosition) {
  RoundRobin scheduler;
  scheduler.set_servers(servers_of_weights(std::vector<uint32_t>(10, 1)));
  for (const uint32_t position : {0U, 9U, 10U, 4294967294U, 4294967295U}) {
    SchedulerCursor cursor{position, 3};
    const auto picks = pick_many(scheduler, cursor, 100);
    for (size_t i = 1; i < picks.size(); ++i) {
      ASSERT_EQ(picks[i], (picks[i - 1] + 1) % 10) << "from position " << position;
    }
  }
}

TEST(RoundRobin, StartsWorkersApart) {
  RoundRobin scheduler;
  scheduler.set_servers(servers_of_weights(std::vector<uint32_t>(64, 1)));
  std::set<uint32_t> starts;
  for (uint32_t worker = 0; worker < 16; ++worker) {
    SchedulerCursor cursor{0, worker};
    starts.insert(pick_many(scheduler, cursor, 1).front());
  }
  EXPECT_EQ(starts.size(), 16U);
  EXPECT_GE(*starts.rbegin() - *starts.begin(), 48U) << "they are huddled together";
}

}  // namespace
}  // namespace ballast
