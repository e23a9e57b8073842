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
  expect_no_difference({Mode::kDr}, 50'000);
}

}  // namespace
}  // namespace ballast::model
