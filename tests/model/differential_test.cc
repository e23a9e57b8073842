#include <gtest/gtest.h>

#include "tests/model/episode.h"

namespace ballast::model {
namespace {

void expect_no_difference(const std::set<Mode>& modes, size_t packets) {
  Plan plan;
  plan.packets = packets;
  plan.modes = modes;
  Tally tally;
  EXPECT_EQ(play_all(plan, tally), "");
  EXPECT_GE(tally.packets, packets);
}

TEST(Differential, DirectRoutingDoesWhatTheModelSays) {
  expect_no_difference({Mode::kDr}, 40'000);
}

TEST(Differential, NatDoesWhatTheModelSays) {
  expect_no_difference({Mode::kNat}, 40'000);
}

TEST(Differential, FullNatDoesWhatTheModelSays) {
  expect_no_difference({Mode::kFullNat}, 40'000);
}

TEST(Differential, TunnelsDoWhatTheModelSays) {
  expect_no_difference({Mode::kTun}, 40'000);
}

TEST(Differential, ServicesThatChangeTheirModesDoWhatTheModelSays) {
  expect_no_difference({Mode::kDr, Mode::kNat, Mode::kFullNat, Mode::kTun}, 40'000);
}

}  // namespace
}  // namespace ballast::model
