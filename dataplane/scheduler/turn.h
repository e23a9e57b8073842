// Whose turn it is in a round of fixed length.
//
// The cursor holds how many turns this worker has taken since the round began; it is reduced at
// every turn, so that a round never jumps when an integer wraps, and a position left behind by a
// longer round is harmless. The salt moves the worker's start: by the golden ratio of the round for
// each step of it (Fibonacci hashing), which keeps any number of workers about evenly apart, so
// that a server's turns on different workers do not come at the same moment.
#pragma once

#include <cstdint>

#include "dataplane/scheduler/scheduler.h"

namespace ballast {

// The slot of [0, round) that this turn belongs to, and moves the cursor on. `round` is not 0.
inline uint32_t take_turn(SchedulerCursor& cursor, uint32_t round) {
  constexpr uint32_t kGoldenRatio = 0x9e3779b9;  // 2^32 / 1.618...
  const uint32_t position = cursor.position < round ? cursor.position : cursor.position % round;
  cursor.position = position + 1 < round ? position + 1 : 0;
  const uint64_t fraction = static_cast<uint32_t>(cursor.salt * kGoldenRatio);
  const uint64_t slot = position + ((fraction * round) >> 32);
  return static_cast<uint32_t>(slot < round ? slot : slot - round);
}

}  // namespace ballast
