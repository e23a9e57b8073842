// How a table of the kernel is asked for as a whole, and how the answer ends. Private to the
// mirror.
#pragma once

#include <cstdint>

#include <tl/expected.hpp>

#include "control/netlink/netlink_socket.h"
#include "control/netlink/state_builder.h"

namespace ballast::netlink {

// Asks for all of a table; of the routes, those of one family (AF_INET, AF_INET6) in the main
// table. The error is errno.
tl::expected<void, int> request_dump(NetlinkSocket& socket, KernelTable table, uint8_t family,
                                     uint32_t sequence);

// Of the messages that end a dump (NLMSG_DONE, NLMSG_ERROR): the error in it, 0 for none.
int error_in(const nlmsghdr& header);

// No main table yet, or no such family in this kernel: nothing to mirror.
bool means_empty(int error);

}  // namespace ballast::netlink
