#include "dataplane/connection/tcp_tracker.h"

#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/packet/parser.h"

namespace ballast {
namespace {

using enum TcpDirection;

// The tables as they stand in LVS's documentation of its states: by flag, in the order of the
// states.
constexpr const char* kStates = "NO ES SS SR FW TW CL CW LA LI SA";
struct Line {
  TcpDirection direction;
  uint8_t flag;
  const char* next;
};
constexpr Line kLines[] = {
    {kFromClient, kSyn, "SR ES ES SR SR SR SR SR SR SR SR"},
    {kFromClient, kFin, "CL CW SS TW TW TW CL CW LA LI TW"},
    {kFromClient, kAck, "ES ES SS ES FW TW CL CW CL LI ES"},
    {kFromClient, kRst, "CL CL CL SR CL CL CL CL LA LI SR"},
    {kFromServer, kSyn, "SS ES SS SR SS SS SS SS SS LI SR"},
    {kFromServer, kFin, "TW FW SS TW FW TW CL TW LA LI TW"},
    {kFromServer, kAck, "ES ES SS ES FW TW CL CW LA ES ES"},
    {kFromServer, kRst, "CL CL SS CL CL TW CL CL CL CL CL"},
    {kFromClientOnly, kSyn, "SR ES ES SR SR SR SR SR SR SR SR"},
    {kFromClientOnly, kFin, "CL FW SS TW FW TW CL CW LA LI TW"},
    {kFromClientOnly, kAck, "ES ES SS ES FW TW CL CW CL LI ES"},
    {kFromClientOnly, kRst, "CL CL CL SR CL CL CL CL LA LI CL"},
};

std::vector<ConnectionState> states_of(const std::string& line) {
  static const std::map<std::string, ConnectionState> kByName{
      {"NO", ConnectionState::kNone},    {"ES", ConnectionState::kEstablished},
      {"SS", ConnectionState::kSynSent}, {"SR", ConnectionState::kSynReceived},
      {"FW", ConnectionState::kFinWait}, {"TW", ConnectionState::kTimeWait},
      {"CL", ConnectionState::kClose},   {"CW", ConnectionState::kCloseWait},
      {"LA", ConnectionState::kLastAck}, {"LI", ConnectionState::kListen},
      {"SA", ConnectionState::kSynAck}};
  std::vector<ConnectionState> states;
  std::istringstream words(line);
  for (std::string word; words >> word;) {
    states.push_back(kByName.at(word));
  }
  return states;
}

// What the first of RST, SYN, FIN, ACK in `flags` asks for; 0 when none is there.
uint8_t decisive(unsigned flags) {
  for (const uint8_t flag : {kRst, kSyn, kFin, kAck}) {
    if ((flags & flag) != 0) {
      return flag;
    }
  }
  return 0;
}

TEST(TcpTracker, FollowsTheTablesOfLvsForEveryStateDirectionAndSetOfFlags) {
  const std::vector<ConnectionState> states = states_of(kStates);
  for (const Line& line : kLines) {
    const std::vector<ConnectionState> next = states_of(line.next);
    ASSERT_EQ(next.size(), states.size());
    for (unsigned flags = 0; flags < 256; ++flags) {
      if (decisive(flags) != line.flag) {
        continue;
      }
      for (size_t i = 0; i < states.size(); ++i) {
        EXPECT_EQ(next_tcp_state(states[i], static_cast<uint8_t>(flags), line.direction), next[i])
            << name_of(states[i]) << ", flags " << flags;
      }
    }
  }
}

TEST(TcpTracker, ASegmentWithoutRstSynFinOrAckChangesNothing) {
  for (size_t state = 0; state < kConnectionStates; ++state) {
    for (const TcpDirection direction : {kFromClient, kFromServer, kFromClientOnly}) {
      for (const unsigned flags : {0x00U, 0x08U, 0x20U, 0xe8U}) {
        EXPECT_EQ(next_tcp_state(ConnectionState(state), static_cast<uint8_t>(flags), direction),
                  ConnectionState(state));
      }
    }
  }
}

TEST(TcpTracker, UdpStaysUdpWhateverComes) {
  for (unsigned flags = 0; flags < 256; ++flags) {
    for (const TcpDirection direction : {kFromClient, kFromServer, kFromClientOnly}) {
      EXPECT_EQ(next_tcp_state(ConnectionState::kUdp, static_cast<uint8_t>(flags), direction),
                ConnectionState::kUdp);
    }
  }
}

struct Segment {
  TcpDirection direction;
  unsigned flags;
  ConnectionState after;
};

void expect_life(const std::vector<Segment>& segments) {
  ConnectionState state = ConnectionState::kNone;
  for (size_t i = 0; i < segments.size(); ++i) {
    state = next_tcp_state(state, static_cast<uint8_t>(segments[i].flags), segments[i].direction);
    EXPECT_EQ(name_of(state), name_of(segments[i].after)) << "segment " << i;
  }
}

TEST(TcpTracker, AClientThatClosesFirst) {
  expect_life({{kFromClient, kSyn, ConnectionState::kSynReceived},
               {kFromServer, kSyn | kAck, ConnectionState::kSynReceived},
               {kFromClient, kAck, ConnectionState::kEstablished},
               {kFromClient, kAck | kPsh, ConnectionState::kEstablished},
               {kFromServer, kAck | kPsh, ConnectionState::kEstablished},
               {kFromClient, kFin | kAck, ConnectionState::kCloseWait},
               {kFromServer, kAck, ConnectionState::kCloseWait},
               {kFromServer, kFin | kAck, ConnectionState::kTimeWait},
               {kFromClient, kAck, ConnectionState::kTimeWait}});
}

TEST(TcpTracker, AServerThatClosesFirst) {
  expect_life({{kFromClient, kSyn, ConnectionState::kSynReceived},
               {kFromServer, kSyn | kAck, ConnectionState::kSynReceived},
               {kFromClient, kAck, ConnectionState::kEstablished},
               {kFromServer, kFin | kAck, ConnectionState::kFinWait},
               {kFromClient, kAck, ConnectionState::kFinWait},
               {kFromClient, kFin | kAck, ConnectionState::kTimeWait},
               {kFromServer, kAck, ConnectionState::kTimeWait}});
}

TEST(TcpTracker, AClientSeenAloneGoesToFinWaitByItsFinAndStaysClosing) {
  expect_life({{kFromClientOnly, kSyn, ConnectionState::kSynReceived},
               {kFromClientOnly, kAck, ConnectionState::kEstablished},
               {kFromClientOnly, kAck | kPsh, ConnectionState::kEstablished},
               {kFromClientOnly, kFin | kAck, ConnectionState::kFinWait},
               {kFromClientOnly, kAck, ConnectionState::kFinWait}});
  expect_life({{kFromClientOnly, kSyn, ConnectionState::kSynReceived},
               {kFromClientOnly, kFin | kAck, ConnectionState::kTimeWait}});
}

TEST(TcpTracker, AResetClosesFromEitherSide) {
  for (const TcpDirection direction : {kFromClient, kFromServer, kFromClientOnly}) {
    expect_life({{kFromClientOnly, kSyn, ConnectionState::kSynReceived},
                 {kFromClientOnly, kAck, ConnectionState::kEstablished},
                 {direction, kRst | kAck, ConnectionState::kClose}});
  }
}

TEST(TcpTracker, ARefusedConnectionCloses) {
  expect_life({{kFromClient, kSyn, ConnectionState::kSynReceived},
               {kFromServer, kRst | kAck, ConnectionState::kClose}});
}

TEST(TcpTracker, ASynOnAClosedOrWaitingFlowBeginsAnew) {
  for (const TcpDirection direction : {kFromClient, kFromClientOnly}) {
    for (size_t state = 0; state < kConnectionStates; ++state) {
      if (is_closing(ConnectionState(state))) {
        EXPECT_EQ(next_tcp_state(ConnectionState(state), kSyn, direction),
                  ConnectionState::kSynReceived);
      }
    }
  }
}

TEST(TcpTracker, ASynDoesNotTakeAFlowOutOfEstablished) {
  for (const TcpDirection direction : {kFromClient, kFromServer, kFromClientOnly}) {
    EXPECT_EQ(next_tcp_state(ConnectionState::kEstablished, kSyn, direction),
              ConnectionState::kEstablished);
  }
}

TEST(TcpTracker, ASegmentContinuesAHalfWithinOneWindowBehindItAlsoAcrossTheWrap) {
  for (const uint32_t next :
       {0U, 1U, 70'000U, 0x7fff'ffffU, 0x8000'0000U, 0xffff'0000U, 0xffff'ffffU}) {
    EXPECT_TRUE(continues_client_half(next, next));
    EXPECT_TRUE(continues_client_half(next, next + 1));
    EXPECT_TRUE(continues_client_half(next, next + 65'535));
    EXPECT_FALSE(continues_client_half(next, next + 65'536));
    EXPECT_FALSE(continues_client_half(next, next - 1));
    EXPECT_FALSE(continues_client_half(next, next + 0x8000'0000U));
  }
}

}  // namespace
}  // namespace ballast
