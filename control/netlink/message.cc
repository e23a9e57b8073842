#include "control/netlink/message.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <tuple>

#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

namespace ballast::netlink {

namespace {

constexpr unsigned kIfaProtocol = 11;  // IFA_PROTO, since Linux 5.18; older headers do not have it

// The last attribute type of any message that is asked for here; those beyond it are passed over.
constexpr unsigned kLast = IFLA_CARRIER;
static_assert(kLast >= kIfaProtocol && kLast >= NDA_LLADDR && kLast >= RTA_VIA &&
              kLast >= RTA_TABLE);

class Attributes {
 public:
  template <class Header>
  static std::optional<Attributes> of(const nlmsghdr& header) {
    Attributes attributes;
    // libnl takes pointers to mutable and changes nothing.
    auto* mutable_header = const_cast<nlmsghdr*>(&header);
    if (nlmsg_parse(mutable_header, sizeof(Header), attributes.found_.data(), kLast, nullptr) < 0) {
      return std::nullopt;
    }
    return attributes;
  }
  static std::optional<Attributes> nested_in(nlattr* first, int length) {
    Attributes attributes;
    if (nla_parse(attributes.found_.data(), kLast, first, length, nullptr) < 0) {
      return std::nullopt;
    }
    return attributes;
  }

  [[nodiscard]] nlattr* at(unsigned type) const { return found_[type]; }
  [[nodiscard]] bool has(unsigned type) const { return found_[type] != nullptr; }

  template <class Number>
  [[nodiscard]] std::optional<Number> number(unsigned type) const {
    if (!has(type) || nla_len(found_[type]) != sizeof(Number)) {
      return std::nullopt;
    }
    Number value{};
    std::memcpy(&value, nla_data(found_[type]), sizeof value);
    return value;
  }
  [[nodiscard]] std::optional<IpAddress> address(unsigned type, int family) const;

 private:
  std::array<nlattr*, kLast + 1> found_{};
};

std::optional<IpAddress> address_of(const void* bytes, size_t size, int family) {
  if (family == AF_INET && size == 4) {
    IpAddress::V4Bytes v4{};
    std::memcpy(v4.data(), bytes, v4.size());
    return IpAddress::v4(v4);
  }
  if (family == AF_INET6 && size == 16) {
    IpAddress::V6Bytes v6{};
    std::memcpy(v6.data(), bytes, v6.size());
    return IpAddress::v6(v6);
  }
  return std::nullopt;
}

std::optional<IpAddress> Attributes::address(unsigned type, int family) const {
  if (!has(type)) {
    return std::nullopt;
  }
  return address_of(nla_data(found_[type]), static_cast<size_t>(nla_len(found_[type])), family);
}

template <class Header>
const Header* header_of(const nlmsghdr& header) {
  if (header.nlmsg_len < NLMSG_LENGTH(sizeof(Header))) {
    return nullptr;
  }
  return static_cast<const Header*>(nlmsg_data(&header));
}

bool mac_of(nlattr* attribute, MacAddress& mac) {
  MacAddress::Bytes bytes{};
  if (attribute == nullptr || nla_len(attribute) != static_cast<int>(bytes.size())) {
    return false;
  }
  std::memcpy(bytes.data(), nla_data(attribute), bytes.size());
  mac = MacAddress(bytes);
  return true;
}

std::optional<KernelMessage> parse_link(const nlmsghdr& header) {
  const auto* info = header_of<ifinfomsg>(header);
  const auto attributes = Attributes::of<ifinfomsg>(header);
  // A bridge announces its ports as links of the family AF_BRIDGE, with few attributes: they are
  // announced as plain links too.
  if (info == nullptr || !attributes || info->ifi_family != AF_UNSPEC || info->ifi_index <= 0) {
    return std::nullopt;
  }
  Link link;
  link.index = info->ifi_index;
  if (auto* name = attributes->at(IFLA_IFNAME); name != nullptr && nla_len(name) > 0) {
    const auto* text = static_cast<const char*>(nla_data(name));
    link.name.assign(text, strnlen(text, static_cast<size_t>(nla_len(name))));
  }
  mac_of(attributes->at(IFLA_ADDRESS), link.mac);
  link.mtu = attributes->number<uint32_t>(IFLA_MTU).value_or(0);
  link.admin_up = (info->ifi_flags & IFF_UP) != 0;
  // IFF_RUNNING follows the carrier only while the link is up and the kernel's link watcher had its
  // turn; the attribute is the carrier itself.
  link.carrier = attributes->number<uint8_t>(IFLA_CARRIER)
                     .value_or((info->ifi_flags & IFF_RUNNING) != 0 ? 1 : 0) != 0;
  link.up = link.admin_up && link.carrier;
  return KernelMessage{.content = std::move(link)};
}

std::optional<KernelMessage> parse_address(const nlmsghdr& header) {
  const auto* info = header_of<ifaddrmsg>(header);
  const auto attributes = Attributes::of<ifaddrmsg>(header);
  if (info == nullptr || !attributes) {
    return std::nullopt;
  }
  // IFA_LOCAL is the address and IFA_ADDRESS the peer where there is a peer, else both are the
  // address, or only the latter.
  const auto address = attributes->address(IFA_ADDRESS, info->ifa_family);
  const auto local = attributes->address(IFA_LOCAL, info->ifa_family);
  if ((!address && !local) || info->ifa_prefixlen > (info->ifa_family == AF_INET ? 32 : 128)) {
    return std::nullopt;
  }
  AddressMessage message;
  message.key = {static_cast<int>(info->ifa_index), local ? *local : *address, info->ifa_prefixlen};
  if (local && address && *local != *address) {
    message.value.peer = address;
  }
  const auto flags = attributes->number<uint32_t>(IFA_FLAGS).value_or(info->ifa_flags);
  message.value.scope = info->ifa_scope;
  message.value.protocol = attributes->number<uint8_t>(kIfaProtocol).value_or(0);
  message.value.permanent = (flags & IFA_F_PERMANENT) != 0;
  message.value.no_prefix_route = (flags & IFA_F_NOPREFIXROUTE) != 0;
  return KernelMessage{.content = message};
}

std::optional<KernelMessage> parse_neighbor(const nlmsghdr& header) {
  const auto* info = header_of<ndmsg>(header);
  const auto attributes = Attributes::of<ndmsg>(header);
  if (info == nullptr || !attributes || (info->ndm_flags & NTF_PROXY) != 0) {
    return std::nullopt;
  }
  const auto address = attributes->address(NDA_DST, info->ndm_family);
  if (!address || address->is_multicast() || address->is_broadcast()) {
    return std::nullopt;
  }
  constexpr int kConfirmed = NUD_REACHABLE | NUD_PERMANENT | NUD_NOARP;
  constexpr int kWithMac = kConfirmed | NUD_STALE | NUD_DELAY | NUD_PROBE;
  NeighborMessage message;
  message.key = {info->ndm_ifindex, *address};
  if ((info->ndm_state & kWithMac) != 0 && mac_of(attributes->at(NDA_LLADDR), message.value.mac)) {
    message.value.state = NeighborState::kKnown;
    message.value.stale = (info->ndm_state & NUD_STALE) != 0;
  } else if ((info->ndm_state & NUD_FAILED) != 0) {
    message.value.state = NeighborState::kFailed;
  }
  return KernelMessage{.content = message};
}

std::optional<IpAddress> gateway_of(const Attributes& attributes, int family) {
  if (const auto gateway = attributes.address(RTA_GATEWAY, family)) {
    return gateway;
  }
  auto* via = attributes.at(RTA_VIA);  // a gateway of another family
  if (via == nullptr || nla_len(via) < static_cast<int>(sizeof(rtvia))) {
    return std::nullopt;
  }
  rtvia head{};
  std::memcpy(&head, nla_data(via), sizeof head);
  const auto* bytes = static_cast<const uint8_t*>(nla_data(via)) + sizeof(rtvia);
  return address_of(bytes, static_cast<size_t>(nla_len(via)) - sizeof(rtvia), head.rtvia_family);
}

KernelHop hop_of(const Attributes& attributes, int family, int link, unsigned flags) {
  KernelHop hop;
  hop.link = link;
  hop.gateway = gateway_of(attributes, family);
  if (hop.gateway && hop.gateway->is_unspecified()) {
    hop.gateway.reset();
  }
  hop.on_link = (flags & RTNH_F_ONLINK) != 0;
  return hop;
}

bool parse_multipath(nlattr* multipath, int family, std::vector<KernelHop>& hops) {
  auto* at = static_cast<uint8_t*>(nla_data(multipath));
  auto left = static_cast<size_t>(nla_len(multipath));
  while (left >= sizeof(rtnexthop)) {
    rtnexthop head{};
    std::memcpy(&head, at, sizeof head);
    if (head.rtnh_len < sizeof(rtnexthop) || head.rtnh_len > left) {
      return false;
    }
    auto* first = static_cast<nlattr*>(static_cast<void*>(at + sizeof(rtnexthop)));
    const auto attributes =
        Attributes::nested_in(first, static_cast<int>(head.rtnh_len - sizeof(rtnexthop)));
    if (!attributes) {
      return false;
    }
    hops.push_back(hop_of(*attributes, family, head.rtnh_ifindex, head.rtnh_flags));
    hops.back().weight = head.rtnh_hops + 1U;
    const size_t step = std::min<size_t>(RTNH_ALIGN(head.rtnh_len), left);
    at += step;
    left -= step;
  }
  return true;
}

std::optional<RouteKind> kind_of(uint8_t type) {
  switch (type) {
    case RTN_UNICAST:
      return RouteKind::kUnicast;
    case RTN_UNREACHABLE:
      return RouteKind::kUnreachable;
    case RTN_BLACKHOLE:
      return RouteKind::kBlackhole;
    case RTN_PROHIBIT:
      return RouteKind::kProhibit;
    default:
      return std::nullopt;
  }
}

// A route of a nexthop object carries the object's gateways as well, unless
// net.ipv4.nexthop_compat_mode was turned off: then it has no hops here and is left out everywhere.
bool parse_hops(const rtmsg& info, const Attributes& attributes, KernelRoute& route) {
  if (route.kind != RouteKind::kUnicast) {
    return true;
  }
  if (attributes.has(RTA_MULTIPATH)) {
    const bool parsed = parse_multipath(attributes.at(RTA_MULTIPATH), info.rtm_family, route.hops);
    // IPv6 lists the hops from whichever one the message is about: the same route must be the same
    // value.
    if (info.rtm_family == AF_INET6) {
      std::sort(route.hops.begin(), route.hops.end(),
                [](const KernelHop& one, const KernelHop& other) {
                  return std::tie(one.link, one.gateway) < std::tie(other.link, other.gateway);
                });
    }
    return parsed;
  }
  if (const auto link = attributes.number<int>(RTA_OIF)) {
    route.hops.push_back(hop_of(attributes, info.rtm_family, *link, info.rtm_flags));
  }
  return true;
}

std::optional<KernelMessage> parse_route(const nlmsghdr& header) {
  const auto* info = header_of<rtmsg>(header);
  const auto attributes = Attributes::of<rtmsg>(header);
  if (info == nullptr || !attributes ||
      (info->rtm_family != AF_INET && info->rtm_family != AF_INET6) || info->rtm_tos != 0 ||
      info->rtm_src_len != 0 || (info->rtm_flags & RTM_F_CLONED) != 0 ||
      attributes->number<uint32_t>(RTA_TABLE).value_or(info->rtm_table) != RT_TABLE_MAIN) {
    return std::nullopt;
  }
  const auto kind = kind_of(info->rtm_type);
  auto address = attributes->address(RTA_DST, info->rtm_family);
  if (!kind || info->rtm_dst_len > (info->rtm_family == AF_INET ? 32 : 128) ||
      (!address && (info->rtm_dst_len != 0 || attributes->has(RTA_DST)))) {
    return std::nullopt;
  }
  if (!address) {
    address = info->rtm_family == AF_INET ? IpAddress::v4({}) : IpAddress();
  }
  if (address->is_multicast() || (address->is_v6() && address->is_link_local())) {
    return std::nullopt;
  }
  RouteMessage message;
  message.key = {Prefix::containing(*address, info->rtm_dst_len),
                 attributes->number<uint32_t>(RTA_PRIORITY).value_or(0)};
  message.value.kind = *kind;
  message.value.protocol = info->rtm_protocol;
  message.value.scope = info->rtm_scope;
  message.value.preferred_source = attributes->address(RTA_PREFSRC, info->rtm_family);
  if (!parse_hops(*info, *attributes, message.value)) {
    return std::nullopt;
  }
  return KernelMessage{.content = std::move(message)};
}

std::optional<KernelMessage> parse_content(const nlmsghdr& header) {
  switch (header.nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      return parse_link(header);
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return parse_address(header);
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
      return parse_neighbor(header);
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      return parse_route(header);
    case RTM_DELNEXTHOP:
      return KernelMessage{.content = NexthopMessage{}};
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<KernelMessage> parse_message(const nlmsghdr& header) {
  auto message = parse_content(header);
  if (message) {
    message->removed = header.nlmsg_type == RTM_DELLINK || header.nlmsg_type == RTM_DELADDR ||
                       header.nlmsg_type == RTM_DELNEIGH || header.nlmsg_type == RTM_DELROUTE ||
                       header.nlmsg_type == RTM_DELNEXTHOP;
    message->replaces = (header.nlmsg_flags & NLM_F_REPLACE) != 0;
    message->appends = (header.nlmsg_flags & NLM_F_APPEND) != 0;
  }
  return message;
}

}  // namespace ballast::netlink
