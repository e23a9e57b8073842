#include "control/netlink/multicast_groups.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ballast::netlink {
namespace {

ipv6_mreq request_for(int link, const IpAddress& group) {
  ipv6_mreq request{};
  std::copy(group.bytes().begin(), group.bytes().end(), request.ipv6mr_multiaddr.s6_addr);
  request.ipv6mr_interface = static_cast<unsigned>(link);
  return request;
}

}  // namespace

MulticastGroups::~MulticastGroups() {
  for (const Socket& socket : sockets_) {
    close(socket.descriptor);
  }
}

std::vector<std::string> MulticastGroups::set(const std::set<int>& links,
                                              const std::set<IpAddress>& groups) {
  std::vector<Membership> unwanted;
  for (const auto& [membership, _] : joined_) {
    if (links.count(membership.first) == 0 || groups.count(membership.second) == 0) {
      unwanted.push_back(membership);
    }
  }
  for (const Membership& membership : unwanted) {
    leave(membership);
  }
  std::vector<std::string> problems;
  for (const int link : links) {
    for (const IpAddress& group : groups) {
      if (joined_.count({link, group}) == 0) {
        if (std::string problem = join({link, group}); !problem.empty()) {
          problems.push_back(std::move(problem));
        }
      }
    }
  }
  return problems;
}

std::string MulticastGroups::join(const Membership& membership) {
  size_t at = 0;
  while (at < sockets_.size() && sockets_[at].memberships >= kPerSocket) {
    ++at;
  }
  if (at == sockets_.size()) {
    const int descriptor = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
      return fmt::format("multicast group {}: cannot open a socket: {}",
                         membership.second.to_string(), std::strerror(errno));
    }
    sockets_.push_back({descriptor, 0});
  }
  const ipv6_mreq request = request_for(membership.first, membership.second);
  if (setsockopt(sockets_[at].descriptor, IPPROTO_IPV6, IPV6_JOIN_GROUP, &request,
                 sizeof(request)) != 0) {
    return fmt::format("multicast group {} on link {}: cannot join: {}",
                       membership.second.to_string(), membership.first, std::strerror(errno));
  }
  ++sockets_[at].memberships;
  joined_[membership] = at;
  return {};
}

void MulticastGroups::leave(const Membership& membership) {
  const auto found = joined_.find(membership);
  const ipv6_mreq request = request_for(membership.first, membership.second);
  // Fails when the link has vanished, and the membership with it.
  setsockopt(sockets_[found->second].descriptor, IPPROTO_IPV6, IPV6_LEAVE_GROUP, &request,
             sizeof(request));
  --sockets_[found->second].memberships;
  joined_.erase(found);
}

}  // namespace ballast::netlink
