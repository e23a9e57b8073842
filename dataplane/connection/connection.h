// What is remembered of one flow: one cache line, the same for both families.
#pragma once

#include <cstdint>

#include "dataplane/connection/timeouts.h"
#include "dataplane/packet/flow_key.h"
#include "dataplane/packet/numbers.h"

namespace ballast {

// Seconds of CLOCK_MONOTONIC, which begins when the machine does; wraps after 136 years.
using Seconds32 = uint32_t;

// Position of an entry in its table; 0 is never used.
using ConnectionIndex = uint32_t;

struct alignas(64) Connection {
  FlowKey key;  // 40 bytes
  ServerIndex server{};
  Seconds32 last_seen = 0;     // the only field that every packet writes
  uint32_t next_sequence = 0;  // TCP: what the client's first segment behind its SYN begins with
  ConnectionIndex wheel_next = 0;  // links of the expiry wheel's slot that the entry hangs in
  ConnectionIndex wheel_previous = 0;
  uint16_t wheel_slot = 0;
  ConnectionState state = ConnectionState::kNone;
  bool trusted : 1 = false;
  bool client_unseen : 1 = false;  // in the second of last_seen only its server was seen
  bool translated : 1 = false;     // has a TranslationRecord, and is known by its server's replies
};
static_assert(sizeof(Connection) == 64);

// One packet between the passes of a lookup by burst.
struct ConnectionProbe {
  uint64_t hash = 0;
  ConnectionIndex candidate = 0;
};

// Word by word, without a branch.
inline bool same_key(const FlowKey& a, const FlowKey& b) {
  const IpAddress::Words client_a = a.client.words();
  const IpAddress::Words client_b = b.client.words();
  const IpAddress::Words vip_a = a.vip.words();
  const IpAddress::Words vip_b = b.vip.words();
  return ((client_a.first ^ client_b.first) | (client_a.second ^ client_b.second) |
          (vip_a.first ^ vip_b.first) | (vip_a.second ^ vip_b.second) |
          (a.ports_and_protocol() ^ b.ports_and_protocol())) == 0;
}

}  // namespace ballast
