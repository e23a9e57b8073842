// Remembers what operators have put on the twins by hand, so that it can be put back. Pure.
//
// Theory of operation. A twin is a tap: when the dataplane closes it, or is replaced, the kernel
// takes away its routes and IPv6 addresses, or the whole link. That must be told from an operator
// who takes something away. The kernel announces that a link is going down before it takes
// anything, so: what disappears while the link is administratively up was removed on purpose and is
// forgotten; from the moment the link is down or absent, nothing is forgotten until it is back and
// everything was restored. (What is removed on purpose while the link is down comes back; there is
// no way to tell.)
//
// Remembered are permanent addresses, and routes of the protocols boot and static, which is what
// `ip` and people make. Not: addresses with a lifetime (DHCP, router advertisements), those that
// the kernel makes itself, routes of routing daemons (they put back what is still true), and
// whatever the configuration asked for, which interface_plan.h sees to. Labels of addresses and
// metrics of routes (mtu, advmss) are not restored.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "control/netlink/kernel_state.h"

namespace ballast::netlink {

// Marks addresses and routes that ballastd put there, also for a later ballastd: IFA_PROTO and
// RTPROT_*, a number that iproute2's list of routing protocols leaves free.
inline constexpr uint8_t kBallastProtocol = 98;

struct RememberedRoute {
  KernelRoute route;
  std::vector<std::string> links;  // of its hops, in order: an index does not outlive its link

  friend bool operator==(const RememberedRoute&, const RememberedRoute&) = default;
};

struct RememberedInterface {
  std::map<std::pair<IpAddress, uint8_t>, KernelAddress> addresses;  // by address and prefix length
  std::map<RouteKey, RememberedRoute> routes;
  bool lost = false;  // the link was down or absent, and nothing was restored since

  friend bool operator==(const RememberedInterface&, const RememberedInterface&) = default;
};

class InterfaceMemory {
 public:
  // Twins that are not named any more are forgotten.
  void set_twins(const std::set<std::string>& twins, const KernelState& state);
  void follow(const KernelState& state, const KernelChanges& changes);
  // All that was remembered of this twin is in place again: follow it from now on.
  void restored(const std::string& twin, const KernelState& state);

  // Null: not a twin.
  [[nodiscard]] const RememberedInterface* of(const std::string& twin) const;
  // Routes in the kernel that ballastd made, with any hop.
  [[nodiscard]] const std::set<RouteKey>& our_routes() const { return our_routes_; }

 private:
  void look_at_addresses(const std::string& twin, RememberedInterface& memory,
                         const KernelState& state);
  void look_at_route(const RouteKey& key, const std::vector<KernelRoute>& routes,
                     const KernelState& state);
  void look_at_prefix(const Prefix& prefix, const KernelState& state);
  void look_at_all_routes(const KernelState& state);

  std::map<std::string, RememberedInterface> twins_;
  std::set<RouteKey> our_routes_;
};

}  // namespace ballast::netlink
