// Which packets a device hashes for RSS, and whether its hash can be taken for all of them.
//
// Theory of operation
//   The steering is the Toeplitz hash of both addresses and both ports, for TCP and UDP over both
//   families. A device that is granted only some of these spreads the others by less: it hashes a
//   datagram over its addresses alone, say, and marks it as hashed all the same. Which of the two a
//   packet got, the buffer does not say. So the hash of a device counts only where all types are
//   granted; with fewer it still spreads what it can, and software hashes everything again.
#pragma once

#include <cstdint>
#include <string>

namespace ballast {

// Of DPDK's RTE_ETH_RSS_* types those that the steering hashes as well.
uint64_t wanted_rss_types();

// What of it the device hashes that was told `requested`; `reported` is what it says itself of its
// configuration since then, where it says anything.
uint64_t granted_rss_types(uint64_t requested, const uint64_t* reported);

// Whether every packet that is marked as hashed has the hash of the steering.
bool hashes_as_we_do(uint64_t granted);

// What is wanted and not granted: "UDP over IPv4, UDP over IPv6"; empty when it is nothing.
std::string missing_rss_types_in_words(uint64_t granted);

}  // namespace ballast
