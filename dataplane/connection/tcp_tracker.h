// The TCP state of a connection, from the client's half alone (DR, TUN) or from both directions
// (NAT, FULLNAT).
//
// As LVS does: flags are looked at in the order RST, SYN, FIN, ACK. Where only the client's half is
// seen, a FIN moves to FIN_WAIT / TIME_WAIT by itself.
#pragma once

#include <cstdint>

#include "dataplane/connection/timeouts.h"
#include "dataplane/packet/tcp_flags.h"

namespace ballast {

enum class TcpDirection : uint8_t {
  kFromClientOnly,  // DR, TUN: the server's half is never seen
  kFromClient,      // NAT, FULLNAT
  kFromServer,
};

// The state after a segment with these flags (TcpFlag). A segment without any of RST, SYN, FIN, ACK
// changes nothing.
ConnectionState next_tcp_state(ConnectionState state, uint8_t flags, TcpDirection direction);

// Whether a packet with these flags surely leaves the state as it is, in either direction: a
// segment of an established connection that opens and closes nothing, and a datagram, which has no
// flags.
constexpr bool keeps_state(ConnectionState state, uint8_t flags) {
  return (state == ConnectionState::kEstablished || state == ConnectionState::kUdp) &&
         (flags & (kSyn | kFin | kRst)) == 0;
}

// Whether a segment without SYN that begins at `sequence` continues a client's half whose SYN had
// `next_sequence - 1`: within one unscaled window (65535) behind it, RFC 9293 section 3.4's
// arithmetic modulo 2^32.
bool continues_client_half(uint32_t next_sequence, uint32_t sequence);

// Whether a client's acknowledgement number is one of a server's half whose SYN had `next_sequence
// - 1`: likewise within one unscaled window behind it (TCP Fast Open, RFC 7413, lets a server send
// data before the client's first ACK).
bool acknowledges_server_half(uint32_t next_sequence, uint32_t acknowledgement);

}  // namespace ballast
