// Has the kernel resolve neighbours (ARP, neighbour discovery) for the dataplane, which does not do
// it itself.
//
// An ask tells the kernel that the neighbour is about to be used (RTM_NEWNEIGH with NTF_USE): an
// unknown or failed one is asked for on the wire at once, a STALE one goes through DELAY (5 s) to
// PROBE and ends REACHABLE or FAILED. Answers come back through the mirror. Nothing here waits for
// a neighbour. How often: neighbor_schedule.h.
//
// The kernel may be unable to ask, most likely because its neighbour table is full (ENOBUFS; of all
// network namespaces together, net.ipv4.neigh.default.gc_thresh3). Then nothing is lost but time:
// each neighbour has its turn again. It is a problem all the same, which lasts until an ask goes
// through, and is told once.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include <tl/expected.hpp>

#include "control/netlink/mirror.h"
#include "control/netlink/neighbor_memory.h"
#include "control/netlink/neighbor_schedule.h"

namespace ballast::netlink {

class Resolver {
 public:
  // Called once for each new problem, with a sentence.
  using OnProblem = std::function<void(const std::string&)>;

  // `io` and `mirror` outlive it; all are used on one thread.
  static tl::expected<std::unique_ptr<Resolver>, std::string> open(
      boost::asio::io_context& io, const Mirror& mirror, OnProblem on_problem,
      const FreshnessIntervals& intervals = {});
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // Asks now, unless this neighbour was asked for within the last second, or is known and fresh, or
  // too many are being asked for. False, with no error, then. An error says why the kernel cannot
  // ask at all.
  tl::expected<bool, std::string> ask(const NextHop& neighbor);

  // From now on keeps these, and only these, fresh: a stale one is confirmed, an unknown or failed
  // one is asked for.
  void keep_fresh(const std::set<NextHop>& neighbors);

  // Why the kernel refused the last ask; empty when it did not.
  [[nodiscard]] const std::string& trouble() const;

 private:
  class Impl;
  explicit Resolver(std::shared_ptr<Impl> impl);

  std::shared_ptr<Impl> impl_;  // shared with the timer's handler
};

}  // namespace ballast::netlink
