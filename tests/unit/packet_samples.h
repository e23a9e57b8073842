// One well-formed frame of every shape that the parser knows: for truncations, mutations and the
// fuzzer's first corpus.
#pragma once

#include <string>
#include <vector>

#include "tests/unit/packet_builder.h"

namespace ballast::testing {

struct Sample {
  std::string name;  // a file name
  PacketKind kind;
  Frame frame;
};

// All of them are accepted by parse(). VIPs are 192.0.2.10 and 2001:db8::10.
std::vector<Sample> sample_frames();

}  // namespace ballast::testing
