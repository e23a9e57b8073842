// ns per packet of one worker, over kinds of traffic and numbers of flows, with the floor beside
// each.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/packet/address.h"
#include "tests/bench/director.h"
#include "tests/bench/forwarding.h"
#include "tests/bench/measurement.h"

namespace ballast::bench {

struct PipelineOptions {
  Forwarding forwarding;
  bool servers_of_other_family = false;  // TUN
  std::vector<Family> families;
  std::vector<std::string> traffic;  // "udp", "established", "mixed"
  std::vector<uint32_t> flows;
  unsigned runs = 5;
  unsigned milliseconds = 300;  // of a run, about
  bool hugepages = true;
  bool translations = true;  // what stands beside the table for NAT and FULLNAT is there
  uint32_t capacity = 0;     // entries of the connection table; 0: what fills it to 80 %
};

void measure_pipeline(Network& network, const PipelineOptions& options, Report& report);

// Entries of the largest table that it makes.
uint64_t largest_table(const PipelineOptions& options);

}  // namespace ballast::bench
