// The states of a connection and how long each may last without a packet, as in LVS
// (ip_vs_proto_tcp.c's table).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ballast {

// X(constant, "NAME as ipvsadm -c prints it", default timeout in seconds, counts as active, is
// closing)
#define BALLAST_CONNECTION_STATES(X)               \
  X(kNone, "NONE", 2, false, false)                \
  X(kEstablished, "ESTABLISHED", 900, true, false) \
  X(kSynSent, "SYN_SENT", 120, true, false)        \
  X(kSynReceived, "SYN_RECV", 60, true, false)     \
  X(kFinWait, "FIN_WAIT", 120, false, true)        \
  X(kTimeWait, "TIME_WAIT", 120, false, true)      \
  X(kClose, "CLOSE", 10, false, true)              \
  X(kCloseWait, "CLOSE_WAIT", 60, false, true)     \
  X(kLastAck, "LAST_ACK", 30, false, true)         \
  X(kListen, "LISTEN", 120, false, false)          \
  X(kSynAck, "SYNACK", 120, true, false)           \
  X(kUdp, "UDP", 300, true, false)

enum class ConnectionState : uint8_t {
#define X(constant, name, seconds, active, closing) constant,
  BALLAST_CONNECTION_STATES(X)
#undef X
};

inline constexpr size_t kConnectionStates = 0
#define X(constant, name, seconds, active, closing) +1
    BALLAST_CONNECTION_STATES(X)
#undef X
    ;

// By state, in seconds, each 1..86400.
struct Timeouts {
  std::array<uint32_t, kConnectionStates> seconds{
#define X(constant, name, seconds, active, closing) seconds,
      BALLAST_CONNECTION_STATES(X)
#undef X
  };

  [[nodiscard]] uint32_t of(ConnectionState state) const {
    return seconds[static_cast<size_t>(state)];
  }
  friend bool operator==(const Timeouts&, const Timeouts&) = default;
};

// Constant tables by state, one subscript each: they are asked on the packet path.
inline constexpr std::array<bool, kConnectionStates> kStateIsActive{
#define X(constant, name, seconds, active, closing) active,
    BALLAST_CONNECTION_STATES(X)
#undef X
};
inline constexpr std::array<bool, kConnectionStates> kStateIsClosing{
#define X(constant, name, seconds, active, closing) closing,
    BALLAST_CONNECTION_STATES(X)
#undef X
};

// Counts as an active connection in ipvsadm's sense; all others are inactive.
constexpr bool is_active(ConnectionState state) {
  return kStateIsActive[static_cast<size_t>(state)];
}
// Goes first when room is needed.
constexpr bool is_closing(ConnectionState state) {
  return kStateIsClosing[static_cast<size_t>(state)];
}

std::string_view name_of(ConnectionState state);

}  // namespace ballast
