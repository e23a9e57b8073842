#include "control/netlink/dump_request.h"

#include <cerrno>
#include <cstring>

#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

namespace ballast::netlink {

namespace {

template <class Body>
struct DumpRequest {
  nlmsghdr header{};
  Body body{};
};

template <class Body>
tl::expected<void, int> send_dump(NetlinkSocket& socket, uint16_t type, const Body& body,
                                  uint32_t sequence) {
  static_assert(sizeof(DumpRequest<Body>) == NLMSG_LENGTH(sizeof(Body)));
  DumpRequest<Body> request;
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = type;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.header.nlmsg_seq = sequence;
  request.body = body;
  return socket.send(&request, sizeof request);
}

}  // namespace

tl::expected<void, int> request_dump(NetlinkSocket& socket, KernelTable table, uint8_t family,
                                     uint32_t sequence) {
  switch (table) {
    case KernelTable::kLinks:
      return send_dump(socket, RTM_GETLINK, ifinfomsg{}, sequence);
    case KernelTable::kAddresses:
      return send_dump(socket, RTM_GETADDR, ifaddrmsg{}, sequence);
    case KernelTable::kNeighbors:
      return send_dump(socket, RTM_GETNEIGH, ndmsg{}, sequence);
    case KernelTable::kRoutes:
      break;
  }
  rtmsg routes{};
  routes.rtm_family = family;
  routes.rtm_table = RT_TABLE_MAIN;
  return send_dump(socket, RTM_GETROUTE, routes, sequence);
}

int error_in(const nlmsghdr& header) {
  int error = 0;
  if (header.nlmsg_len >= NLMSG_LENGTH(sizeof error)) {
    std::memcpy(&error, reinterpret_cast<const uint8_t*>(&header) + NLMSG_HDRLEN, sizeof error);
  }
  return -error;
}

bool means_empty(int error) {
  return error == ENOENT || error == EOPNOTSUPP || error == EAFNOSUPPORT;
}

}  // namespace ballast::netlink
