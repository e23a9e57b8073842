#include "vrrp/advert_socket.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace ballast::vrrp {
namespace {

constexpr int kVrrpProtocol = static_cast<int>(IpProtocol::kVrrp);
constexpr int kControlPriority = 6;  // TC_PRIO_INTERACTIVE, what needs no privilege
constexpr int kReceiveBuffer = 256 * 1024;

struct Option {
  int level;
  int name;
  int value;
  const char* text;
};

tl::expected<void, std::string> set(int descriptor, const Option& option) {
  if (::setsockopt(descriptor, option.level, option.name, &option.value, sizeof(option.value)) !=
      0) {
    return tl::unexpected(fmt::format("{}: {}", option.text, std::strerror(errno)));
  }
  return {};
}

IpAddress address_of(const in_addr& address) {
  IpAddress::V4Bytes bytes{};
  std::memcpy(bytes.data(), &address, bytes.size());
  return IpAddress::v4(bytes);
}

IpAddress address_of(const in6_addr& address) {
  IpAddress::V6Bytes bytes{};
  std::memcpy(bytes.data(), &address, bytes.size());
  return IpAddress::v6(bytes);
}

in6_addr in6_of(const IpAddress& address) {
  in6_addr result{};
  std::memcpy(&result, address.bytes().data(), sizeof(result));
  return result;
}

in_addr in_of(const IpAddress& address) {
  in_addr result{};
  const auto bytes = address.v4_bytes();
  std::memcpy(&result, bytes.data(), sizeof(result));
  return result;
}

int join(int descriptor, Family family, InterfaceIndex interface) {
  if (family == Family::kIpv4) {
    ip_mreqn request{};
    request.imr_multiaddr = in_of(multicast_group(family));
    request.imr_ifindex = static_cast<int>(index(interface));
    if (::setsockopt(descriptor, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof(request)) != 0) {
      return -1;
    }
    return ::setsockopt(descriptor, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof(request));
  }
  ipv6_mreq request{};
  request.ipv6mr_multiaddr = in6_of(multicast_group(family));
  request.ipv6mr_interface = index(interface);
  return ::setsockopt(descriptor, IPPROTO_IPV6, IPV6_JOIN_GROUP, &request, sizeof(request));
}

// Lays one control message into `storage` and hangs it on `header`.
template <typename Payload>
void attach(msghdr& header, std::span<char> storage, int level, int type, const Payload& payload) {
  header.msg_control = storage.data();
  header.msg_controllen = CMSG_SPACE(sizeof(Payload));
  cmsghdr* control = CMSG_FIRSTHDR(&header);
  control->cmsg_level = level;
  control->cmsg_type = type;
  control->cmsg_len = CMSG_LEN(sizeof(Payload));
  std::memcpy(CMSG_DATA(control), &payload, sizeof(Payload));
}

void read_ipv6_control(msghdr& header, Datagram& datagram) {
  for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr;
       control = CMSG_NXTHDR(&header, control)) {
    if (control->cmsg_level != IPPROTO_IPV6) {
      continue;
    }
    if (control->cmsg_type == IPV6_HOPLIMIT) {
      int hop_limit = 0;
      std::memcpy(&hop_limit, CMSG_DATA(control), sizeof(hop_limit));
      datagram.ttl = static_cast<uint8_t>(hop_limit);
    } else if (control->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(control), sizeof(info));
      datagram.destination = address_of(info.ipi6_addr);
    }
  }
}

}  // namespace

tl::expected<AdvertSocket, std::string> AdvertSocket::open(Family family,
                                                           InterfaceIndex interface) {
  const int domain = family == Family::kIpv4 ? AF_INET : AF_INET6;
  const int descriptor = ::socket(domain, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, kVrrpProtocol);
  const std::string where =
      fmt::format("interface {}: IPv{} advert socket", index(interface), index(family));
  if (descriptor < 0) {
    return tl::unexpected(fmt::format("{}: {}: needs CAP_NET_RAW", where, std::strerror(errno)));
  }
  AdvertSocket socket(descriptor, family, interface);
  if (auto outcome = socket.configure(); !outcome) {
    return tl::unexpected(where + ": " + outcome.error());
  }
  return socket;
}

tl::expected<void, std::string> AdvertSocket::configure() const {
  std::array<char, IF_NAMESIZE> name{};
  if (::if_indextoname(index(interface_), name.data()) == nullptr) {
    return tl::unexpected(std::string("there is no such interface"));
  }
  if (::setsockopt(descriptor_, SOL_SOCKET, SO_BINDTODEVICE, name.data(),
                   static_cast<socklen_t>(std::strlen(name.data()))) != 0) {
    return tl::unexpected(fmt::format("SO_BINDTODEVICE {}: {}", name.data(), std::strerror(errno)));
  }
  const std::vector<Option> options =
      family_ == Family::kIpv4
          ? std::vector<Option>{{IPPROTO_IP, IP_MULTICAST_TTL, kRequiredTtl, "IP_MULTICAST_TTL"},
                                {IPPROTO_IP, IP_TTL, kRequiredTtl, "IP_TTL"},
                                {IPPROTO_IP, IP_TOS, kTrafficClassCs6, "IP_TOS"},
                                {IPPROTO_IP, IP_MULTICAST_LOOP, 0, "IP_MULTICAST_LOOP"},
                                {IPPROTO_IP, IP_MULTICAST_ALL, 0, "IP_MULTICAST_ALL"}}
          : std::vector<Option>{
                {IPPROTO_IPV6, IPV6_MULTICAST_HOPS, kRequiredTtl, "IPV6_MULTICAST_HOPS"},
                {IPPROTO_IPV6, IPV6_UNICAST_HOPS, kRequiredTtl, "IPV6_UNICAST_HOPS"},
                {IPPROTO_IPV6, IPV6_TCLASS, kTrafficClassCs6, "IPV6_TCLASS"},
                {IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0, "IPV6_MULTICAST_LOOP"},
                {IPPROTO_IPV6, IPV6_MULTICAST_IF, static_cast<int>(index(interface_)),
                 "IPV6_MULTICAST_IF"},
                {IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, "IPV6_RECVPKTINFO"},
                {IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1, "IPV6_RECVHOPLIMIT"}};
  for (const Option& option : options) {
    if (auto outcome = set(descriptor_, option); !outcome) {
      return outcome;
    }
  }
  if (join(descriptor_, family_, interface_) != 0) {
    return tl::unexpected(
        fmt::format("joining {}: {}", multicast_group(family_).to_string(), std::strerror(errno)));
  }
  // Good to have, no more.
  static_cast<void>(set(descriptor_, {SOL_SOCKET, SO_PRIORITY, kControlPriority, ""}));
  static_cast<void>(set(descriptor_, {SOL_SOCKET, SO_RCVBUF, kReceiveBuffer, ""}));
  return {};
}

AdvertSocket::AdvertSocket(AdvertSocket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      family_(other.family_),
      interface_(other.interface_) {}

AdvertSocket& AdvertSocket::operator=(AdvertSocket&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  family_ = other.family_;
  interface_ = other.interface_;
  return *this;
}

AdvertSocket::~AdvertSocket() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

int AdvertSocket::send(std::span<const uint8_t> message, const AdvertPath& path) const {
  iovec data{const_cast<uint8_t*>(message.data()), message.size()};
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, 64> control{};
  sockaddr_in to4{};
  sockaddr_in6 to6{};
  if (family_ == Family::kIpv4) {
    to4.sin_family = AF_INET;
    to4.sin_addr = in_of(path.destination);
    header.msg_name = &to4;
    header.msg_namelen = sizeof(to4);
    in_pktinfo info{};
    info.ipi_ifindex = static_cast<int>(index(interface_));
    info.ipi_spec_dst = in_of(path.source);
    attach(header, control, IPPROTO_IP, IP_PKTINFO, info);
  } else {
    to6.sin6_family = AF_INET6;
    to6.sin6_addr = in6_of(path.destination);
    to6.sin6_scope_id = index(interface_);
    header.msg_name = &to6;
    header.msg_namelen = sizeof(to6);
    in6_pktinfo info{};
    info.ipi6_addr = in6_of(path.source);
    info.ipi6_ifindex = index(interface_);
    attach(header, control, IPPROTO_IPV6, IPV6_PKTINFO, info);
  }
  return ::sendmsg(descriptor_, &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? errno : 0;
}

std::optional<AdvertSocket::Received> AdvertSocket::receive(std::span<uint8_t> buffer) const {
  iovec data{buffer.data(), buffer.size()};
  sockaddr_in6 from{};  // large enough for both
  alignas(cmsghdr) std::array<char, 128> control{};
  msghdr header{};
  header.msg_name = &from;
  header.msg_namelen = sizeof(from);
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  const ssize_t length = ::recvmsg(descriptor_, &header, MSG_DONTWAIT);
  if (length < 0) {
    return std::nullopt;
  }
  const std::span<const uint8_t> packet(buffer.data(), static_cast<size_t>(length));
  const bool is_cut = (header.msg_flags & MSG_TRUNC) != 0;
  Received received;
  if (family_ == Family::kIpv4) {
    const Ipv4Split split = split_ipv4(packet, interface_);
    received = {split.datagram, split.is_whole && !is_cut};
  } else {
    received.datagram.interface = interface_;
    received.datagram.source = address_of(from.sin6_addr);
    received.datagram.message = packet;
    read_ipv6_control(header, received.datagram);
    received.is_whole = !is_cut;
  }
  return received;
}

size_t AdvertSocket::drop_backlog() const {
  size_t dropped = 0;
  uint8_t byte = 0;
  while (dropped < kMaximumBacklog && ::recv(descriptor_, &byte, 1, MSG_DONTWAIT) >= 0) {
    ++dropped;
  }
  return dropped;
}

InterfaceFacts read_interface_facts(InterfaceIndex interface) {
  InterfaceFacts facts;
  facts.interface = interface;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) {
    return facts;
  }
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || ::if_nametoindex(entry->ifa_name) != index(interface)) {
      continue;
    }
    if (entry->ifa_addr->sa_family == AF_INET && !facts.ipv4) {
      sockaddr_in address{};
      std::memcpy(&address, entry->ifa_addr, sizeof(address));
      facts.ipv4 = address_of(address.sin_addr);
    } else if (entry->ifa_addr->sa_family == AF_INET6 && !facts.link_local) {
      sockaddr_in6 address{};
      std::memcpy(&address, entry->ifa_addr, sizeof(address));
      if (const IpAddress candidate = address_of(address.sin6_addr); candidate.is_link_local()) {
        facts.link_local = candidate;
      }
    }
  }
  ::freeifaddrs(list);
  return facts;
}

}  // namespace ballast::vrrp
