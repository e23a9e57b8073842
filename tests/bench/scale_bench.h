// Two workers or more, each on a source of its own, against one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/packet/address.h"
#include "tests/bench/director.h"
#include "tests/bench/forwarding.h"
#include "tests/bench/measurement.h"

namespace ballast::bench {

struct ScaleOptions {
  Forwarding forwarding;  // DR or TUN
  std::vector<Family> families;
  std::vector<std::string> traffic;  // "udp", "established"
  std::vector<uint32_t> flows;       // of each worker
  unsigned runs = 5;
  unsigned milliseconds = 300;
  bool hugepages = true;
  bool translations = true;
};

void measure_scale(Network& network, const ScaleOptions& options, Report& report);

// Entries of one worker's largest table.
uint64_t largest_table(const ScaleOptions& options);

}  // namespace ballast::bench
