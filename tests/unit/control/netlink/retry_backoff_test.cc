#include "control/netlink/retry_backoff.h"

#include <gtest/gtest.h>

namespace ballast::netlink {
namespace {

using namespace std::chrono_literals;

constexpr RetryLimits kLimits{.first = 500ms, .longest = 30s, .give_up_after = 2min};

TEST(RetryBackoff, DoublesItsPausesUpToTheLongest) {
  RetryBackoff backoff(kLimits);
  RetryBackoff::Time now{1h};
  EXPECT_FALSE(backoff.due());
  std::vector<std::chrono::milliseconds> pauses;
  for (int i = 0; i < 9; ++i) {
    backoff.failed(now);
    ASSERT_TRUE(backoff.due());
    pauses.push_back(std::chrono::duration_cast<std::chrono::milliseconds>(*backoff.due() - now));
    now = *backoff.due();
  }
  EXPECT_EQ(pauses,
            (std::vector<std::chrono::milliseconds>{500ms, 1s, 2s, 4s, 8s, 16s, 30s, 30s, 30s}));
}

TEST(RetryBackoff, CountsTimeAndNotTries) {
  RetryBackoff backoff(kLimits);
  const RetryBackoff::Time begin{1h};
  for (int i = 0; i < 100000; ++i) {  // reports that come in a burst
    backoff.failed(begin + 1us * i);
  }
  EXPECT_FALSE(backoff.exhausted(begin + 100ms));
  EXPECT_EQ(backoff.due(), begin + 500ms);
  EXPECT_FALSE(backoff.exhausted(begin + 2min - 1ns));
  EXPECT_TRUE(backoff.exhausted(begin + 2min));
}

TEST(RetryBackoff, BeginsAnewAfterASuccess) {
  RetryBackoff backoff(kLimits);
  RetryBackoff::Time now{1h};
  for (int i = 0; i < 6; ++i) {
    backoff.failed(now);
    now = *backoff.due();
  }
  backoff.succeeded();
  EXPECT_FALSE(backoff.due());
  EXPECT_FALSE(backoff.exhausted(now + 1h));
  backoff.failed(now + 1h);
  EXPECT_EQ(backoff.due(), now + 1h + 500ms);
  EXPECT_FALSE(backoff.exhausted(now + 1h + 1min));
}

}  // namespace
}  // namespace ballast::netlink
