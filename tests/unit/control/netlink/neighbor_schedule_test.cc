#include "control/netlink/neighbor_schedule.h"

#include <gmock/gmock.h>

namespace ballast::netlink {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

NextHop hop(unsigned number) {
  return {"lan",
          IpAddress::v4({10, 0, static_cast<uint8_t>(number >> 8U), static_cast<uint8_t>(number)})};
}
const SteadyTime kStart{seconds(1000)};

TEST(AskLimit, AdmitsOneAskPerNeighbourAndSecond) {
  AskLimit limit;
  EXPECT_TRUE(limit.admit(hop(1), kStart));
  EXPECT_FALSE(limit.admit(hop(1), kStart + milliseconds(999)));
  EXPECT_TRUE(limit.admit(hop(2), kStart + milliseconds(999)));
  EXPECT_TRUE(limit.admit(hop(1), kStart + seconds(1)));
  EXPECT_FALSE(limit.admit(hop(1), kStart + milliseconds(1500)));
}

TEST(AskLimit, IsBounded) {
  AskLimit limit;
  for (unsigned i = 0; i < AskLimit::kCapacity; ++i) {
    ASSERT_TRUE(limit.admit(hop(i), kStart));
  }
  EXPECT_FALSE(limit.admit(hop(60000), kStart + milliseconds(500)));
  EXPECT_TRUE(limit.admit(hop(60000), kStart + seconds(1)));
}

TEST(FreshnessSchedule, GivesEveryNeighbourItsTurnAgainAndAgain) {
  FreshnessSchedule schedule;
  schedule.keep({hop(1)}, kStart);
  EXPECT_EQ(schedule.next(), kStart);
  EXPECT_THAT(schedule.take_due(kStart), ElementsAre(hop(1)));
  EXPECT_THAT(schedule.take_due(kStart + seconds(60)), IsEmpty());
  schedule.look_again(hop(1), true, kStart);
  EXPECT_EQ(schedule.next(), kStart + seconds(10));
  EXPECT_THAT(schedule.take_due(kStart + seconds(10)), ElementsAre(hop(1)));
  schedule.look_again(hop(1), false, kStart + seconds(10));
  EXPECT_EQ(schedule.next(), kStart + seconds(11));
}

TEST(FreshnessSchedule, SpreadsTheFirstTurnsOfManyNeighbours) {
  FreshnessSchedule schedule;
  std::set<NextHop> many;
  for (unsigned i = 0; i < 10000; ++i) {
    many.insert(hop(i));
  }
  schedule.keep(many, kStart);
  EXPECT_THAT(schedule.take_due(kStart + milliseconds(999)), SizeIs(200));
  EXPECT_THAT(schedule.take_due(kStart + seconds(10)), SizeIs(9800));
}

TEST(FreshnessSchedule, KeepsTheTurnsOfThoseThatStayAndForgetsTheOthers) {
  FreshnessSchedule schedule;
  schedule.keep({hop(1), hop(2)}, kStart);
  schedule.take_due(kStart + seconds(1));
  schedule.look_again(hop(1), true, kStart + seconds(1));
  schedule.look_again(hop(2), true, kStart + seconds(1));
  schedule.keep({hop(2), hop(3)}, kStart + seconds(5));
  EXPECT_THAT(schedule.take_due(kStart + seconds(5)), ElementsAre(hop(3)));
  EXPECT_THAT(schedule.take_due(kStart + seconds(11)), ElementsAre(hop(2)));
  schedule.look_again(hop(1), true, kStart + seconds(11));
  schedule.keep({}, kStart);
  EXPECT_EQ(schedule.next(), std::nullopt);
}

TEST(NeedsAsking, OnlyWhatIsNotFresh) {
  const MacAddress mac({2, 0, 0, 0, 0, 1});
  const KernelNeighbor fresh{mac, NeighborState::kKnown, false};
  const KernelNeighbor stale{mac, NeighborState::kKnown, true};
  const KernelNeighbor failed{{}, NeighborState::kFailed, false};
  EXPECT_FALSE(needs_asking(&fresh));
  EXPECT_TRUE(needs_asking(&stale));
  EXPECT_TRUE(needs_asking(&failed));
  EXPECT_TRUE(needs_asking(nullptr));
}

}  // namespace
}  // namespace ballast::netlink
