// rtnetlink messages as values: bytes from a netlink socket in, a KernelMessage out. Pure.
//
// Everything that does not concern the mirror (other tables, families, types) and everything
// malformed gives none. The sender is the kernel, but no length in a message is trusted all the
// same.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "control/netlink/kernel_state.h"

struct nlmsghdr;

namespace ballast::netlink {

struct AddressMessage {
  AddressKey key;
  KernelAddress value;
};

struct NeighborMessage {
  NeighborKey key;
  KernelNeighbor value;
};

struct RouteMessage {
  RouteKey key;
  KernelRoute value;
};

// A nexthop object went away; the kernel does not say which routes went with it.
struct NexthopMessage {};

struct KernelMessage {
  bool removed = false;   // RTM_DEL*
  bool replaces = false;  // of routes: NLM_F_REPLACE
  bool appends = false;   // of routes: NLM_F_APPEND
  std::variant<Link, AddressMessage, NeighborMessage, RouteMessage, NexthopMessage> content;
};

// `header` must be preceded by a check that nlmsg_len bytes are there (nlmsg_ok).
std::optional<KernelMessage> parse_message(const nlmsghdr& header);

}  // namespace ballast::netlink
