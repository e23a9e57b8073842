#include "dataplane/connection/timeouts.h"

#include <set>

#include <gtest/gtest.h>

namespace ballast {
namespace {

TEST(Timeouts, AreThoseOfLvsByDefault) {
  const Timeouts timeouts;
  EXPECT_EQ(timeouts.of(ConnectionState::kNone), 2U);
  EXPECT_EQ(timeouts.of(ConnectionState::kEstablished), 900U);
  EXPECT_EQ(timeouts.of(ConnectionState::kSynSent), 120U);
  EXPECT_EQ(timeouts.of(ConnectionState::kSynReceived), 60U);
  EXPECT_EQ(timeouts.of(ConnectionState::kFinWait), 120U);
  EXPECT_EQ(timeouts.of(ConnectionState::kTimeWait), 120U);
  EXPECT_EQ(timeouts.of(ConnectionState::kClose), 10U);
  EXPECT_EQ(timeouts.of(ConnectionState::kCloseWait), 60U);
  EXPECT_EQ(timeouts.of(ConnectionState::kLastAck), 30U);
  EXPECT_EQ(timeouts.of(ConnectionState::kListen), 120U);
  EXPECT_EQ(timeouts.of(ConnectionState::kSynAck), 120U);
  EXPECT_EQ(timeouts.of(ConnectionState::kUdp), 300U);
}

TEST(ConnectionState, EveryOneHasANameOfItsOwnAndNoneIsBothActiveAndClosing) {
  std::set<std::string_view> names;
  for (size_t state = 0; state < kConnectionStates; ++state) {
    names.insert(name_of(ConnectionState(state)));
    EXPECT_FALSE(is_active(ConnectionState(state)) && is_closing(ConnectionState(state)));
  }
  EXPECT_EQ(names.size(), kConnectionStates);
  EXPECT_EQ(name_of(ConnectionState::kSynReceived), "SYN_RECV");
  EXPECT_EQ(name_of(ConnectionState(200)), "UNKNOWN");
}

}  // namespace
}  // namespace ballast
