// What the fuzzers of the rewrites have in common: each input is a frame, seen as it is and with
// its checksums made right, without which no mutation would get past the parser; what else a
// rewrite takes follows from a hash of the frame.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "tests/unit/packet_builder.h"

namespace ballast::testing {

inline void require_no_violation(const std::string& violation) {
  if (!violation.empty()) {
    std::fprintf(stderr, "violated: %s\n", violation.c_str());
    std::abort();
  }
}

inline uint32_t seed_of(const Bytes& bytes) {
  uint32_t seed = 2166136261U;  // FNV-1a
  for (const uint8_t byte : bytes) {
    seed = (seed ^ byte) * 16777619U;
  }
  return seed;
}

// `check` takes the bytes of a frame and a seed.
template <typename Check>
void for_both_forms(const uint8_t* data, size_t size, Check check) {
  const Bytes bytes(data, data + size);
  const uint32_t seed = seed_of(bytes);
  check(bytes, seed);
  Frame frame{bytes};
  try {
    frame.fix_checksums();
  } catch (const std::out_of_range&) {
    return;  // its lengths point beyond its end, so that there is no checksum to make right
  }
  check(frame.bytes, seed);
}

}  // namespace ballast::testing
