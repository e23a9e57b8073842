// What a NAT or FULLNAT connection needs to remember beyond its Connection: half a cache line, in
// an array beside the entries (translation_table.h), so that DR and TUN do not pay for it.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/connection/connection.h"
#include "dataplane/packet/byte_order.h"

namespace ballast {

// Stable index of a local address of FULLNAT. Its owner gives it to another address only when no
// worker has a use for it any more (LocalPorts::uses()).
enum class LocalAddressIndex : uint16_t {};

// Stable index of a pair of local address and server endpoint in a LocalPorts, while a port of it
// is taken; 0 means none.
enum class LocalPortLane : uint32_t {};
inline constexpr LocalPortLane kNoLane{0};

// A local address and port that FULLNAT puts in the client's place.
struct LocalEndpoint {
  LocalAddressIndex address{};
  Big16 port;
  LocalPortLane lane = kNoLane;  // whom to give it back to; kNoLane: there is none, as in NAT
};
static_assert(sizeof(LocalEndpoint) == 8);

// What was seen of the server's half of a TCP connection, and how the way to the client is noted;
// bits of TranslationRecord::server_seen.
enum ServerSeen : uint8_t {
  kServerSequence = 0x01,      // a segment: server_next_sequence means something
  kServerAcknowledged = 0x02,  // the client has acknowledged the server's sequence
  kServerFin = 0x04,
  kServerRst = 0x08,
  kHopIsMac = 0x10,   // client_hop is one
  kHopIsNear = 0x20,  // the client is on the port's own network: its frames may say the MAC
};

struct alignas(32) TranslationRecord {
  LocalEndpoint local;
  uint64_t return_hash = 0;  // TranslationTable's own
  // TCP: what the server's first segment behind its SYN begins with.
  uint32_t server_next_sequence = 0;
  // The way to the client, as it was found under this generation of the routes; 0: never.
  uint32_t hop_generation = 0;
  // kHopIsMac: where the client's frames come from, on its own network; else a NeighborIndex.
  std::array<uint8_t, 6> client_hop{};
  uint8_t client_port = 0;  // the PortIndex of that way
  uint8_t server_seen = 0;
};
static_assert(sizeof(TranslationRecord) == 32);

// Notes a segment of the server. Until the client has acknowledged it, a SYN begins the server's
// half anew: with SYN cookies each SYN has another sequence number. Without a SYN, as when the
// connection was met in its middle, the half begins with the first segment that is seen.
void note_server_segment(TranslationRecord& translation, uint8_t tcp_flags, uint32_t sequence);

// Notes the acknowledgement number of a client's segment with ACK. True when the client has, now or
// before, acknowledged the server's half: a number up to one unscaled window (65535) behind the
// server's SYN. Only who receives the server's segments can know it.
bool note_client_acknowledgement(TranslationRecord& translation, uint32_t acknowledgement);

// How long a local port has to rest before it is taken again to the same server.
enum class PortRest : uint8_t {
  kTimeWait,  // the server may hold it in TIME_WAIT
  kShort,     // it surely does not
};

// What the port of a connection that ends `now` needs.
//
// Surely not in TIME_WAIT, which lasts `time_wait` seconds on the servers:
//   - what is not TCP;
//   - what the server reset: it has forgotten the connection (RFC 9293 section 3.5.2);
//   - a handshake that the client never completed: the server was in SYN_RECEIVED at the most. A
//     new SYN is at worst answered with a challenge ACK, which the client's reset clears up
//     (RFC 9293 section 3.10.7.4), and its next SYN gets through. These must not rest long: under a
//     SYN flood all ports would;
//   - a connection without a packet for longer than that.
// A client's reset is not among them: whether the server accepted it, nobody here can know.
PortRest rest_of(const Connection& connection, const TranslationRecord& translation, Seconds32 now,
                 uint32_t time_wait);

}  // namespace ballast
