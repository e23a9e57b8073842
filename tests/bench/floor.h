// What source, ports and drop cost by themselves: the worker's loop with a MAC swap in place of the
// pipeline.
#pragma once

#include <vector>

#include "dataplane/dpdk/worker.h"
#include "tests/bench/packet_source.h"

namespace ballast::bench {

// Receives from every port and transmits on the last one, until the source's run has ended. On the
// worker's thread (PacketSource::begin).
void swap_macs(std::vector<PortPair>& ports, WorkerIndex worker, const PacketSource& source);

}  // namespace ballast::bench
