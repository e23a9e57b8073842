// Millions of connections held at a time: what they cost in memory, and whether every one of them
// is found, from both sides, and its packets become what they should.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/packet/address.h"
#include "tests/bench/director.h"
#include "tests/bench/forwarding.h"
#include "tests/bench/measurement.h"

namespace ballast::bench {

struct HoldOptions {
  Forwarding forwarding;
  std::vector<Family> families;
  std::vector<std::string> traffic;  // "udp", "established"
  std::vector<uint32_t> flows;
  bool hugepages = true;
  bool translations = true;
};

void measure_hold(Network& network, const HoldOptions& options, Report& report);

// Entries of the largest table that it makes.
uint64_t largest_table(const HoldOptions& options);

}  // namespace ballast::bench
