#include "control/daemon/open_files.h"

#include <algorithm>

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace ballast::control {
namespace {

TEST(OpenFiles, RaisesTheSoftLimitToTheHardOne) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit low = before;
  low.rlim_cur = std::min<rlim_t>(64, before.rlim_max);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  EXPECT_EQ(raise_open_files(), before.rlim_max);
  rlimit after{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &after), 0);
  EXPECT_EQ(after.rlim_cur, before.rlim_max);
  setrlimit(RLIMIT_NOFILE, &before);
}

TEST(OpenFiles, LeaveRoomForAllElseThatNeedsOne) {
  EXPECT_EQ(checks_at_once(0), 1U);
  EXPECT_EQ(checks_at_once(1), 1U);
  EXPECT_EQ(checks_at_once(256), 128U);
  EXPECT_EQ(checks_at_once(1024), 512U);
  EXPECT_EQ(checks_at_once(4096), 3584U);
  EXPECT_EQ(checks_at_once(524288), 8192U);
  EXPECT_EQ(checks_at_once(RLIM_INFINITY), 8192U);
  uint32_t last = 0;
  for (uint64_t limit = 0; limit < 20000; ++limit) {
    const uint32_t checks = checks_at_once(limit);
    ASSERT_GE(checks, last);
    ASSERT_LE(checks, std::max<uint64_t>(1, limit));
    last = checks;
  }
}

}  // namespace
}  // namespace ballast::control
