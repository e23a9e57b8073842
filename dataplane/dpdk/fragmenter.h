// Cuts IP packets that are longer than the outgoing port's MTU into fragments (RFC 791 section 3.2,
// RFC 8200 section 4.5).
//
// Theory of operation
//   Every fragment is a buffer of its own, in one piece, into which its part of the packet is
//   copied: so any device can send it, however the packet was chained. librte_ip_frag makes the
//   same of a packet in chains of indirect buffers, which devices without multi-segment sending
//   need copied again, and leaves the identification of IPv6 fragments to the caller; the tests
//   compare the two.
//
//   IPv4: what allows it (no DF) is cut, fragments and packets with options included; options go
//   into later fragments where they say so. IPv6 is cut by its source only, which we are of
//   tunnels: packets without extension headers.
//
//   Identifications are a client's own where there are any. Those of IPv6, and of IPv4 packets that
//   have none (0), count up from a random start, one lane for each worker, so that two workers that
//   send from one address do not use the same at once.
//
// One worker's; single-threaded.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include <tl/expected.hpp>

#include "dataplane/packet/drop_reason.h"
#include "dataplane/packet/numbers.h"

struct rte_mbuf;
struct rte_mempool;

namespace ballast {

class Fragmenter {
 public:
  // Of 65535 bytes cut for an MTU of 1280, the least that a port may have.
  static constexpr size_t kMostFragments = 64;

  // `pool` outlives the fragmenter; `seed` is drawn anew in every process.
  Fragmenter(rte_mempool& pool, WorkerIndex worker, uint16_t workers, uint64_t seed)
      : pool_(pool),
        step_(workers),
        identification_(static_cast<uint32_t>(seed - seed % workers + index(worker))) {}

  // The fragments of `frame`, each with its link-layer header and of at most `mtu` bytes behind it;
  // valid until the next call, theirs and `frame` are the caller's. Or why there are none.
  tl::expected<std::span<rte_mbuf*>, DropReason> cut(const rte_mbuf& frame, uint16_t mtu);

 private:
  struct Plan;

  static bool plan_ipv4(const rte_mbuf& frame, Plan& plan);
  static bool plan_ipv6(const rte_mbuf& frame, Plan& plan);
  static bool make_plan(const rte_mbuf& frame, Plan& plan);
  bool write(const rte_mbuf& frame, const Plan& plan, size_t position, size_t length,
             rte_mbuf& fragment) const;

  rte_mempool& pool_;
  uint16_t step_;
  uint32_t identification_;  // the last one drawn
  std::array<rte_mbuf*, kMostFragments> fragments_{};
};

}  // namespace ballast
