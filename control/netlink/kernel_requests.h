// Asks the kernel to change something: addresses, routes, links, neighbours.
//
// The kernel carries a netlink request out within the system call that sends it and has the answer
// ready when it returns, so that these calls do not wait for anything but the kernel's own lock on
// its network configuration (usually microseconds).
#pragma once

#include <cstdint>
#include <string>

#include <tl/expected.hpp>

#include "control/netlink/kernel_state.h"
#include "control/netlink/netlink_socket.h"

struct nl_msg;

namespace ballast::netlink {

struct KernelRefusal {
  int error = 0;     // errno
  std::string text;  // "Network is unreachable", or the kernel's own sentence
};

class KernelRequests {
 public:
  using Result = tl::expected<void, KernelRefusal>;

  static tl::expected<KernelRequests, std::string> open();

  Result set_link_up(int link);
  // IPv6 addresses are added without duplicate address detection: see interface_setup.h.
  Result add_address(const AddressKey& key, const KernelAddress& value);
  Result remove_address(const AddressKey& key, const KernelAddress& value);
  // `replace`: takes the place of a route with the same key; else the kernel refuses with EEXIST.
  Result add_route(const RouteKey& key, const KernelRoute& route, bool replace);
  Result remove_route(const RouteKey& key, const KernelRoute& route);
  // Behaves as if a packet were sent to the neighbour (NTF_USE): asks for it if it is unknown or
  // failed, and has a stale one confirmed. Does not wait for the neighbour.
  Result use_neighbor(const NeighborKey& key);

 private:
  explicit KernelRequests(NetlinkSocket socket) : socket_(std::move(socket)) {}
  Result send(nl_msg* message);

  NetlinkSocket socket_;
  uint32_t sequence_ = 0;
};

}  // namespace ballast::netlink
