#include "dataplane/connection/timer_wheel.h"

#include <algorithm>
#include <map>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace ballast {
namespace {

constexpr uint32_t kEntries = 2000;

class TimerWheelTest : public testing::Test {
 protected:
  TimerWheelTest()
      : slots_(TimerWheel::kSlots),
        entries_(kEntries + 1),
        wheel_(2, slots_.data(), entries_.data()) {
    for (Connection& entry : entries_) {
      entry.wheel_slot = TimerWheel::kNotHung;
    }
  }

  std::vector<TimerSlot> slots_;
  std::vector<Connection> entries_;
  TimerWheel wheel_;
};

TEST_F(TimerWheelTest, GivesEntriesBySecondAndWithinASecondInOrderOfHanging) {
  const uint32_t due[] = {1050, 1010, 1050, 1010, 1011, 5000, 1010};
  for (ConnectionIndex entry = 1; entry <= 7; ++entry) {
    wheel_.hang(entry, due[entry - 1], 1000);
  }
  for (const ConnectionIndex expected : {2, 4, 7, 5, 1, 3, 6}) {
    EXPECT_EQ(wheel_.first(), expected);
    EXPECT_EQ(wheel_.first_due(), due[expected - 1]);
    EXPECT_EQ(TimerWheel::wheel_of(entries_[expected].wheel_slot), 2U);
    wheel_.take(expected);
    EXPECT_EQ(entries_[expected].wheel_slot, TimerWheel::kNotHung);
  }
  EXPECT_TRUE(wheel_.empty());
  EXPECT_EQ(wheel_.first(), 0U);
}

TEST_F(TimerWheelTest, TakesFromTheMiddleOfASecond) {
  for (ConnectionIndex entry = 1; entry <= 5; ++entry) {
    wheel_.hang(entry, 10, 1);
  }
  wheel_.take(3);
  wheel_.take(1);
  wheel_.take(5);
  EXPECT_EQ(wheel_.first(), 2U);
  wheel_.take(2);
  EXPECT_EQ(wheel_.first(), 4U);
  wheel_.take(4);
  EXPECT_TRUE(wheel_.empty());
}

TEST_F(TimerWheelTest, HangsWhatIsBeyondTheHorizonIntoItsLastSecond) {
  wheel_.hang(1, 100'000, 500);
  EXPECT_EQ(wheel_.first_due(), 500 + TimerWheel::kHorizon);
}

TEST_F(TimerWheelTest, FollowsATimeThatJumpsOverManyTurns) {
  wheel_.hang(1, 20, 10);
  wheel_.hang(2, 1'000'030, 1'000'000);  // entry 1 is long overdue: the base stays with it
  EXPECT_EQ(wheel_.first(), 1U);
  EXPECT_EQ(wheel_.first_due(), 20U);
  wheel_.take(1);
  wheel_.take(2);
  wheel_.hang(2, 1'000'030, 1'000'000);
  EXPECT_EQ(wheel_.first_due(), 1'000'030U);
}

TEST_F(TimerWheelTest, AnOverdueEntryKeepsItsSecondHoweverLateItIsAskedFor) {
  wheel_.hang(1, 20, 10);
  wheel_.advance(1'000'000);
  EXPECT_EQ(wheel_.first_due(), 20U);
}

TEST_F(TimerWheelTest, AgreesWithAnOrderedMapOverRandomChanges) {
  std::mt19937 engine(42);
  const auto random = [&engine] { return static_cast<uint32_t>(engine()); };
  using Order = std::pair<uint32_t, uint64_t>;  // second, order of hanging
  std::map<Order, ConnectionIndex> model;
  std::vector<Order> place(kEntries + 1);
  uint64_t sequence = 0;
  uint32_t now = 77;
  for (uint32_t step = 0; step < 2'000'000; ++step) {
    const ConnectionIndex entry = random() % kEntries + 1;
    if (entries_[entry].wheel_slot == TimerWheel::kNotHung) {
      const uint32_t due = now + 1 + random() % (TimerWheel::kHorizon - 1);
      wheel_.hang(entry, due, now);
      place[entry] = {due, ++sequence};
      model.emplace(place[entry], entry);
    } else {
      wheel_.take(entry);
      model.erase(place[entry]);
    }
    ASSERT_EQ(wheel_.empty(), model.empty());
    if (!model.empty()) {
      ASSERT_EQ(wheel_.first(), model.begin()->second);
      ASSERT_EQ(wheel_.first_due(), model.begin()->first.first);
    }
    if (step % 3 == 0) {
      now += random() % 3;
      while (!wheel_.empty() && wheel_.first_due() <= now) {
        const ConnectionIndex due = wheel_.first();
        ASSERT_EQ(due, model.begin()->second);
        model.erase(model.begin());
        wheel_.take(due);
      }
      wheel_.advance(now);
    }
  }
}

}  // namespace
}  // namespace ballast
