#include "control/netlink/kernel_requests.h"

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <poll.h>

namespace ballast::netlink {

namespace {

constexpr int kReceiveBytes = 256 * 1024;
constexpr int kIfaProtocol = 11;  // IFA_PROTO, since Linux 5.18; older kernels pass over it
constexpr int kAnswerTimeoutMs =
    1000;  // the answer is there when the request was sent; this only bounds the unthinkable

struct FreeMessage {
  void operator()(nl_msg* message) const { nlmsg_free(message); }
};
using Message = std::unique_ptr<nl_msg, FreeMessage>;

template <class Body>
Message message_of(int type, int flags, Body body) {
  Message message(nlmsg_alloc_simple(type, NLM_F_REQUEST | NLM_F_ACK | flags));
  if (message && nlmsg_append(message.get(), &body, sizeof body, NLMSG_ALIGNTO) < 0) {
    message.reset();
  }
  return message;
}

uint8_t family_of(const IpAddress& address) {
  return address.is_v4() ? AF_INET : AF_INET6;
}

// These add to a message; running out of room shows as a message that the kernel refuses, and a
// page is room for hundreds of hops.
void put_address(nl_msg* message, int type, const IpAddress& address) {
  if (address.is_v4()) {
    const auto bytes = address.v4_bytes();
    nla_put(message, type, static_cast<int>(bytes.size()), bytes.data());
  } else {
    nla_put(message, type, static_cast<int>(address.bytes().size()), address.bytes().data());
  }
}

void put_gateway(nl_msg* message, Family family, const IpAddress& gateway) {
  if (gateway.family() == family) {
    put_address(message, RTA_GATEWAY, gateway);
    return;
  }
  struct {
    uint16_t family = 0;
    uint8_t bytes[16] = {};
  } via;
  via.family = family_of(gateway);
  const size_t size = gateway.is_v4() ? 4 : 16;
  if (gateway.is_v4()) {
    std::memcpy(via.bytes, gateway.v4_bytes().data(), size);
  } else {
    std::memcpy(via.bytes, gateway.bytes().data(), size);
  }
  nla_put(message, RTA_VIA, static_cast<int>(sizeof via.family + size), &via);
}

void put_multipath(nl_msg* message, const RouteKey& key, const KernelRoute& route) {
  auto* multipath = nla_nest_start(message, RTA_MULTIPATH);
  for (const auto& hop : route.hops) {
    auto* head = static_cast<rtnexthop*>(nlmsg_reserve(message, sizeof(rtnexthop), NLMSG_ALIGNTO));
    if (head == nullptr) {
      return;
    }
    head->rtnh_flags = hop.on_link ? RTNH_F_ONLINK : 0;
    head->rtnh_hops = static_cast<uint8_t>(hop.weight == 0 ? 0 : hop.weight - 1);
    head->rtnh_ifindex = hop.link;
    if (hop.gateway) {
      put_gateway(message, key.prefix.address.family(), *hop.gateway);
    }
    const auto* end = static_cast<const uint8_t*>(nlmsg_tail(nlmsg_hdr(message)));
    head->rtnh_len = static_cast<uint16_t>(end - reinterpret_cast<const uint8_t*>(head));
  }
  nla_nest_end(message, multipath);
}

uint8_t type_of(RouteKind kind) {
  switch (kind) {
    case RouteKind::kUnreachable:
      return RTN_UNREACHABLE;
    case RouteKind::kBlackhole:
      return RTN_BLACKHOLE;
    case RouteKind::kProhibit:
      return RTN_PROHIBIT;
    case RouteKind::kUnicast:
      break;
  }
  return RTN_UNICAST;
}

Message route_message(int type, int flags, const RouteKey& key, const KernelRoute& route) {
  rtmsg body{};
  body.rtm_family = family_of(key.prefix.address);
  body.rtm_dst_len = key.prefix.length;
  body.rtm_table = RT_TABLE_MAIN;
  body.rtm_protocol = route.protocol;
  body.rtm_scope = route.scope;
  body.rtm_type = type_of(route.kind);
  if (route.hops.size() == 1 && route.hops.front().on_link) {
    body.rtm_flags = RTNH_F_ONLINK;
  }
  auto message = message_of(type, flags, body);
  if (!message) {
    return message;
  }
  put_address(message.get(), RTA_DST, key.prefix.address);
  nla_put_u32(message.get(), RTA_PRIORITY, key.metric);
  if (route.preferred_source) {
    put_address(message.get(), RTA_PREFSRC, *route.preferred_source);
  }
  if (route.hops.size() == 1) {
    nla_put_u32(message.get(), RTA_OIF, static_cast<uint32_t>(route.hops.front().link));
    if (route.hops.front().gateway) {
      put_gateway(message.get(), key.prefix.address.family(), *route.hops.front().gateway);
    }
  } else if (!route.hops.empty()) {
    put_multipath(message.get(), key, route);
  }
  return message;
}

Message address_message(int type, int flags, const AddressKey& key, const KernelAddress& value) {
  ifaddrmsg body{};
  body.ifa_family = family_of(key.address);
  body.ifa_prefixlen = key.prefix_length;
  body.ifa_scope = value.scope;
  body.ifa_index = static_cast<uint32_t>(key.link);
  auto message = message_of(type, flags, body);
  if (!message) {
    return message;
  }
  put_address(message.get(), IFA_LOCAL, key.address);
  put_address(message.get(), IFA_ADDRESS, value.peer ? *value.peer : key.address);
  if (type == RTM_NEWADDR) {
    uint32_t wanted = value.no_prefix_route ? IFA_F_NOPREFIXROUTE : 0;
    wanted |= key.address.is_v6() ? IFA_F_NODAD : 0;
    nla_put_u32(message.get(), IFA_FLAGS, wanted);
    if (value.protocol != 0) {
      nla_put_u8(message.get(), kIfaProtocol, value.protocol);
    }
  }
  return message;
}

// What the kernel says about an error, beside its number (NLMSGERR_ATTR_MSG).
std::string explanation_in(const nlmsghdr& header) {
  constexpr int kAttributesAt = sizeof(nlmsgerr);
  if ((header.nlmsg_flags & NLM_F_ACK_TLVS) == 0 ||
      header.nlmsg_len < NLMSG_LENGTH(kAttributesAt)) {
    return {};
  }
  auto* attribute =
      nlmsg_find_attr(const_cast<nlmsghdr*>(&header), kAttributesAt, NLMSGERR_ATTR_MSG);
  if (attribute == nullptr || nla_len(attribute) <= 0) {
    return {};
  }
  const auto* text = static_cast<const char*>(nla_data(attribute));
  return {text, strnlen(text, static_cast<size_t>(nla_len(attribute)))};
}

KernelRefusal refusal(int error, const std::string& explanation = {}) {
  return {error, explanation.empty() ? std::strerror(error) : explanation};
}

}  // namespace

tl::expected<KernelRequests, std::string> KernelRequests::open() {
  auto socket = NetlinkSocket::open({}, kReceiveBytes);
  if (!socket) {
    return tl::unexpected(socket.error());
  }
  return KernelRequests(std::move(*socket));
}

KernelRequests::Result KernelRequests::send(nl_msg* message) {
  if (message == nullptr) {
    return tl::unexpected(refusal(ENOMEM));
  }
  auto* header = nlmsg_hdr(message);
  header->nlmsg_seq = ++sequence_;
  if (const auto sent = socket_.send(header, header->nlmsg_len); !sent) {
    return tl::unexpected(refusal(sent.error()));
  }
  std::optional<Result> answer;
  const auto look_at = [this, &answer](const nlmsghdr& reply) {
    if (reply.nlmsg_seq != sequence_ || reply.nlmsg_type != NLMSG_ERROR ||
        reply.nlmsg_len < NLMSG_LENGTH(sizeof(nlmsgerr))) {
      return;
    }
    const int error = -static_cast<const nlmsgerr*>(nlmsg_data(&reply))->error;
    answer = error == 0 ? Result() : Result(tl::unexpected(refusal(error, explanation_in(reply))));
  };
  while (!answer) {
    const auto read = socket_.read(look_at);
    if (read == NetlinkSocket::Read::kNothing) {
      pollfd readable{socket_.descriptor(), POLLIN, 0};
      if (::poll(&readable, 1, kAnswerTimeoutMs) == 0) {
        return tl::unexpected(refusal(ETIMEDOUT));
      }
    } else if (read == NetlinkSocket::Read::kOverrun) {
      return tl::unexpected(refusal(ENOBUFS, "the kernel's answer is lost"));
    } else if (read == NetlinkSocket::Read::kError) {
      return tl::unexpected(refusal(errno));
    }
  }
  return *answer;
}

KernelRequests::Result KernelRequests::set_link_up(int link) {
  ifinfomsg body{};
  body.ifi_index = link;
  body.ifi_flags = IFF_UP;
  body.ifi_change = IFF_UP;
  return send(message_of(RTM_NEWLINK, 0, body).get());
}

KernelRequests::Result KernelRequests::add_address(const AddressKey& key,
                                                   const KernelAddress& value) {
  return send(address_message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, key, value).get());
}

KernelRequests::Result KernelRequests::remove_address(const AddressKey& key,
                                                      const KernelAddress& value) {
  return send(address_message(RTM_DELADDR, 0, key, value).get());
}

KernelRequests::Result KernelRequests::add_route(const RouteKey& key, const KernelRoute& route,
                                                 bool replace) {
  const int flags = NLM_F_CREATE | (replace ? NLM_F_REPLACE : NLM_F_EXCL);
  return send(route_message(RTM_NEWROUTE, flags, key, route).get());
}

KernelRequests::Result KernelRequests::remove_route(const RouteKey& key, const KernelRoute& route) {
  return send(route_message(RTM_DELROUTE, 0, key, route).get());
}

KernelRequests::Result KernelRequests::use_neighbor(const NeighborKey& key) {
  ndmsg body{};
  body.ndm_family = family_of(key.address);
  body.ndm_ifindex = key.link;
  body.ndm_state = NUD_NONE;
  body.ndm_flags = NTF_USE;
  auto message = message_of(RTM_NEWNEIGH, NLM_F_CREATE, body);
  if (message) {
    put_address(message.get(), NDA_DST, key.address);
  }
  return send(message.get());
}

}  // namespace ballast::netlink
