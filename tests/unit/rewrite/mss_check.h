// The MSS options of a segment, read by a simple parser of its own, and what must hold of
// clamp_mss() for every frame: shared by unit tests and the fuzzer.
#pragma once

#include <cstdint>
#include <string>

#include "tests/unit/packet_builder.h"

namespace ballast::testing {

// Empty when all properties hold for the frame, well-formed or not, else the one that does not:
// every MSS option that a receiver would see is lowered to `maximum`, nothing else but the checksum
// changes, and that as the slow reference says.
std::string violated_mss_clamp(const Bytes& bytes, uint16_t maximum);

}  // namespace ballast::testing
