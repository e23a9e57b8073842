// Membership in the solicited-node groups of the IPv6 VIPs, on the kernel twins.
//
// The dataplane answers neighbour solicitations for its VIPs, but they are sent to a multicast
// group (RFC 4861 section 7.2.2, RFC 4291 section 2.7.1), and a switch that snoops MLD delivers
// those only where somebody has joined. The kernel joins on the twin and reports it (RFC 3810)
// through the port; it answers nothing, since it has no such address.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/packet/address.h"

namespace ballast::netlink {

class MulticastGroups {
 public:
  MulticastGroups() = default;
  ~MulticastGroups();
  MulticastGroups(const MulticastGroups&) = delete;
  MulticastGroups& operator=(const MulticastGroups&) = delete;

  // From now on these groups are joined on each of these links (kernel indexes), and no others. A
  // link that has vanished has left its groups already. Problems are sentences; what failed is
  // tried again by the next call.
  std::vector<std::string> set(const std::set<int>& links, const std::set<IpAddress>& groups);

 private:
  using Membership = std::pair<int, IpAddress>;  // link, group
  // The kernel charges memberships to their socket (net.core.optmem_max, 20 KiB by default): so
  // many fit easily.
  static constexpr uint32_t kPerSocket = 128;

  struct Socket {
    int descriptor = -1;
    uint32_t memberships = 0;
  };

  std::string join(const Membership& membership);
  void leave(const Membership& membership);

  std::vector<Socket> sockets_;
  std::map<Membership, size_t> joined_;  // subscript into sockets_
};

}  // namespace ballast::netlink
