#include "tests/model/tcp_states.h"

#include "tests/model/dissect.h"

namespace ballast::model {
namespace {

constexpr State kNO = State::kNone;
constexpr State kES = State::kEstablished;
constexpr State kSS = State::kSynSent;
constexpr State kSR = State::kSynReceived;
constexpr State kFW = State::kFinWait;
constexpr State kTW = State::kTimeWait;
constexpr State kCL = State::kClose;
constexpr State kCW = State::kCloseWait;
constexpr State kLA = State::kLastAck;
constexpr State kLI = State::kListen;
constexpr State kSA = State::kSynAck;

struct Table {
  State syn[11];
  State fin[11];
  State ack[11];
  State rst[11];
};

// clang-format off
constexpr Table kInput{
    // NO   ES   SS   SR   FW   TW   CL   CW   LA   LI   SA
    {kSR, kES, kES, kSR, kSR, kSR, kSR, kSR, kSR, kSR, kSR},
    {kCL, kCW, kSS, kTW, kTW, kTW, kCL, kCW, kLA, kLI, kTW},
    {kES, kES, kSS, kES, kFW, kTW, kCL, kCW, kCL, kLI, kES},
    {kCL, kCL, kCL, kSR, kCL, kCL, kCL, kCL, kLA, kLI, kSR}};
constexpr Table kOutput{
    {kSS, kES, kSS, kSR, kSS, kSS, kSS, kSS, kSS, kLI, kSR},
    {kTW, kFW, kSS, kTW, kFW, kTW, kCL, kTW, kLA, kLI, kTW},
    {kES, kES, kSS, kES, kFW, kTW, kCL, kCW, kLA, kES, kES},
    {kCL, kCL, kSS, kCL, kCL, kTW, kCL, kCL, kCL, kCL, kCL}};
constexpr Table kInputOnly{
    {kSR, kES, kES, kSR, kSR, kSR, kSR, kSR, kSR, kSR, kSR},
    {kCL, kFW, kSS, kTW, kFW, kTW, kCL, kCW, kLA, kLI, kTW},
    {kES, kES, kSS, kES, kFW, kTW, kCL, kCW, kCL, kLI, kES},
    {kCL, kCL, kCL, kSR, kCL, kCL, kCL, kCL, kLA, kLI, kCL}};
// clang-format on

const Table& table_of(Seen seen) {
  switch (seen) {
    case Seen::kInput:
      return kInput;
    case Seen::kOutput:
      return kOutput;
    case Seen::kInputOnly:
      break;
  }
  return kInputOnly;
}

}  // namespace

State next_state(State state, uint8_t flags, Seen seen) {
  if (state == State::kUdp) {
    return state;
  }
  const Table& table = table_of(seen);
  const auto column = static_cast<size_t>(state);
  if ((flags & kFlagRst) != 0) {
    return table.rst[column];
  }
  if ((flags & kFlagSyn) != 0) {
    return table.syn[column];
  }
  if ((flags & kFlagFin) != 0) {
    return table.fin[column];
  }
  return (flags & kFlagAck) != 0 ? table.ack[column] : state;
}

bool is_closing(State state) {
  return state == State::kFinWait || state == State::kTimeWait || state == State::kClose ||
         state == State::kCloseWait || state == State::kLastAck;
}

const char* name_of(State state) {
  static constexpr const char* kNames[] = {"NONE",     "ESTABLISHED", "SYN_SENT", "SYN_RECV",
                                           "FIN_WAIT", "TIME_WAIT",   "CLOSE",    "CLOSE_WAIT",
                                           "LAST_ACK", "LISTEN",      "SYNACK",   "UDP"};
  return kNames[static_cast<size_t>(state)];
}

uint32_t default_timeout(State state) {
  static constexpr uint32_t kSeconds[] = {2, 900, 120, 60, 120, 120, 10, 60, 30, 120, 120, 300};
  return kSeconds[static_cast<size_t>(state)];
}

}  // namespace ballast::model
