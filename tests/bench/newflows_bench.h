// New flows: how many a second a worker takes while its table fills, and what a flood of them costs
// those that are established.
#pragma once

#include <cstdint>
#include <vector>

#include "dataplane/packet/address.h"
#include "tests/bench/director.h"
#include "tests/bench/forwarding.h"
#include "tests/bench/measurement.h"

namespace ballast::bench {

struct NewFlowsOptions {
  Forwarding forwarding;
  std::vector<Family> families;
  std::vector<uint32_t> flows;         // to which the table is filled
  uint32_t established = 1'000'000;    // flows while the flood goes on
  uint32_t untrusted_quota = 125'000;  // that the flood uses up
  bool no_flood = false;
  unsigned runs = 5;
  unsigned milliseconds = 300;
  bool hugepages = true;
  bool translations = true;
};

void measure_new_flows(Network& network, const NewFlowsOptions& options, Report& report);

// Entries of the largest table that it makes.
uint64_t largest_table(const NewFlowsOptions& options);

}  // namespace ballast::bench
