// The states of a connection as LVS has them (net/netfilter/ipvs/ip_vs_proto_tcp.c): its three
// tables, by columns as they stand there.
#pragma once

#include <cstdint>
#include <string>

namespace ballast::model {

enum class State : uint8_t {
  kNone,
  kEstablished,
  kSynSent,
  kSynReceived,
  kFinWait,
  kTimeWait,
  kClose,
  kCloseWait,
  kLastAck,
  kListen,
  kSynAck,
  kUdp,
};

enum class Seen : uint8_t { kInput, kOutput, kInputOnly };

// By the flags of a segment, looked at in the order RST, SYN, FIN, ACK.
[[nodiscard]] State next_state(State state, uint8_t flags, Seen seen);
// In which a client's new SYN is another connection.
[[nodiscard]] bool is_closing(State state);
[[nodiscard]] const char* name_of(State state);
[[nodiscard]] uint32_t default_timeout(State state);

}  // namespace ballast::model
