// The transitions are those of LVS (ip_vs_proto_tcp.c), so that counts and timeouts are what its
// users know. What may surprise in them, and why it is so:
//   - A SYN never takes a flow out of ESTABLISHED: it may be old or forged. Out of a closing state
//     it begins anew, at SYN_RECV: the client uses its port again.
//   - A client's RST leaves SYN_RECV, LAST_ACK and LISTEN as they are; these end soon by
//     themselves.
//   - From both directions, a client's FIN leads to CLOSE_WAIT (the client closed first), a
//     server's to FIN_WAIT, and the second FIN to TIME_WAIT. From the client's half alone nobody
//     can say who was first: FIN_WAIT.
//   - SYN_SENT and LISTEN belong to connections that a server opens; they are in the table for
//     completeness.
#include "dataplane/connection/tcp_tracker.h"

#include <array>

#include "dataplane/packet/tcp_flags.h"

namespace ballast {
namespace {

using State = ConnectionState;

// The next state by what the segment carries, in the order in which flags are looked at.
struct Row {
  State rst;
  State syn;
  State fin;
  State ack;
};
using Transitions = std::array<Row, kConnectionStates>;

constexpr auto kNo = State::kNone;
constexpr auto kEs = State::kEstablished;
constexpr auto kSs = State::kSynSent;
constexpr auto kSr = State::kSynReceived;
constexpr auto kFw = State::kFinWait;
constexpr auto kTw = State::kTimeWait;
constexpr auto kCl = State::kClose;
constexpr auto kCw = State::kCloseWait;
constexpr auto kLa = State::kLastAck;
constexpr auto kLi = State::kListen;
constexpr auto kSa = State::kSynAck;
constexpr auto kUd = State::kUdp;

constexpr Transitions kFromClientOnly{{
    // RST  SYN  FIN  ACK
    {kCl, kSr, kCl, kEs},  // NONE
    {kCl, kEs, kFw, kEs},  // ESTABLISHED
    {kCl, kEs, kSs, kSs},  // SYN_SENT
    {kSr, kSr, kTw, kEs},  // SYN_RECV
    {kCl, kSr, kFw, kFw},  // FIN_WAIT
    {kCl, kSr, kTw, kTw},  // TIME_WAIT
    {kCl, kSr, kCl, kCl},  // CLOSE
    {kCl, kSr, kCw, kCw},  // CLOSE_WAIT
    {kLa, kSr, kLa, kCl},  // LAST_ACK
    {kLi, kSr, kLi, kLi},  // LISTEN
    {kCl, kSr, kTw, kEs},  // SYNACK
    {kUd, kUd, kUd, kUd},  // UDP: no TCP segment belongs to it
}};

constexpr Transitions kFromClient{{
    // RST  SYN  FIN  ACK
    {kCl, kSr, kCl, kEs},  // NONE
    {kCl, kEs, kCw, kEs},  // ESTABLISHED
    {kCl, kEs, kSs, kSs},  // SYN_SENT
    {kSr, kSr, kTw, kEs},  // SYN_RECV
    {kCl, kSr, kTw, kFw},  // FIN_WAIT
    {kCl, kSr, kTw, kTw},  // TIME_WAIT
    {kCl, kSr, kCl, kCl},  // CLOSE
    {kCl, kSr, kCw, kCw},  // CLOSE_WAIT
    {kLa, kSr, kLa, kCl},  // LAST_ACK
    {kLi, kSr, kLi, kLi},  // LISTEN
    {kSr, kSr, kTw, kEs},  // SYNACK
    {kUd, kUd, kUd, kUd},  // UDP
}};

constexpr Transitions kFromServer{{
    // RST  SYN  FIN  ACK
    {kCl, kSs, kTw, kEs},  // NONE
    {kCl, kEs, kFw, kEs},  // ESTABLISHED
    {kSs, kSs, kSs, kSs},  // SYN_SENT
    {kCl, kSr, kTw, kEs},  // SYN_RECV
    {kCl, kSs, kFw, kFw},  // FIN_WAIT
    {kTw, kSs, kTw, kTw},  // TIME_WAIT
    {kCl, kSs, kCl, kCl},  // CLOSE
    {kCl, kSs, kTw, kCw},  // CLOSE_WAIT
    {kCl, kSs, kLa, kLa},  // LAST_ACK
    {kCl, kLi, kLi, kEs},  // LISTEN
    {kCl, kSr, kTw, kEs},  // SYNACK
    {kUd, kUd, kUd, kUd},  // UDP
}};

const Transitions& transitions_of(TcpDirection direction) {
  switch (direction) {
    case TcpDirection::kFromClient:
      return kFromClient;
    case TcpDirection::kFromServer:
      return kFromServer;
    case TcpDirection::kFromClientOnly:
      break;
  }
  return kFromClientOnly;
}

// The rows above are in the order of the states.
static_assert(kNo == State{0} && kEs == State{1} && kSs == State{2} && kSr == State{3} &&
              kFw == State{4} && kTw == State{5} && kCl == State{6} && kCw == State{7} &&
              kLa == State{8} && kLi == State{9} && kSa == State{10} && kUd == State{11} &&
              kConnectionStates == 12);

bool is_within_window(uint32_t begin, uint32_t number) {
  constexpr uint32_t kWindow = 65535;
  return number - begin <= kWindow;  // unsigned: modulo 2^32
}

}  // namespace

ConnectionState next_tcp_state(ConnectionState state, uint8_t flags, TcpDirection direction) {
  const Row& row = transitions_of(direction)[static_cast<size_t>(state)];
  if ((flags & TcpFlag::kRst) != 0) {
    return row.rst;
  }
  if ((flags & TcpFlag::kSyn) != 0) {
    return row.syn;
  }
  if ((flags & TcpFlag::kFin) != 0) {
    return row.fin;
  }
  if ((flags & TcpFlag::kAck) != 0) {
    return row.ack;
  }
  return state;
}

bool continues_client_half(uint32_t next_sequence, uint32_t sequence) {
  return is_within_window(next_sequence, sequence);
}

bool acknowledges_server_half(uint32_t next_sequence, uint32_t acknowledgement) {
  return is_within_window(next_sequence, acknowledgement);
}

}  // namespace ballast
