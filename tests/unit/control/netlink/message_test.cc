#include "control/netlink/message.h"

#include <array>
#include <cstring>
#include <random>

#include <gmock/gmock.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

namespace ballast::netlink {
namespace {

using testing::SizeIs;

// A netlink message under construction.
class Bytes {
 public:
  template <class Body>
  Bytes(uint16_t type, uint16_t flags, const Body& body) {
    nlmsghdr header{};
    header.nlmsg_type = type;
    header.nlmsg_flags = flags;
    append(&header, sizeof header);
    append(&body, sizeof body);
  }
  Bytes& put(uint16_t type, const void* value, size_t size) {
    const rtattr attribute{static_cast<uint16_t>(sizeof(rtattr) + size), type};
    append(&attribute, sizeof attribute);
    append(value, size);
    return *this;
  }
  Bytes& put(uint16_t type, const IpAddress& address) {
    const auto v4 = address.v4_bytes();
    return address.is_v4() ? put(type, v4.data(), 4) : put(type, address.bytes().data(), 16);
  }
  Bytes& number(uint16_t type, uint32_t value) { return put(type, &value, sizeof value); }

  [[nodiscard]] std::optional<KernelMessage> parse() const { return parse_first(bytes_.size()); }
  // The message cut off after `size` bytes, in memory of exactly that size.
  [[nodiscard]] std::optional<KernelMessage> parse_first(size_t size) const {
    std::vector<uint8_t> copy(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(size));
    auto* header = static_cast<nlmsghdr*>(static_cast<void*>(copy.data()));
    header->nlmsg_len = static_cast<uint32_t>(size);
    return parse_message(*header);
  }
  std::vector<uint8_t> bytes_;

 private:
  void append(const void* data, size_t size) {
    const auto* first = static_cast<const uint8_t*>(data);
    bytes_.insert(bytes_.end(), first, first + size);
    bytes_.resize(NLMSG_ALIGN(bytes_.size()));
  }
};

IpAddress ip(const char* text) {
  return IpAddress::parse(text).value();
}

rtmsg route_header(uint8_t family, uint8_t length) {
  rtmsg header{};
  header.rtm_family = family;
  header.rtm_dst_len = length;
  header.rtm_table = RT_TABLE_MAIN;
  header.rtm_type = RTN_UNICAST;
  header.rtm_protocol = RTPROT_BOOT;
  return header;
}

Bytes plain_route() {
  Bytes bytes(RTM_NEWROUTE, 0, route_header(AF_INET, 24));
  bytes.put(RTA_DST, ip("192.0.2.0"))
      .number(RTA_OIF, 7)
      .put(RTA_GATEWAY, ip("10.0.0.1"))
      .number(RTA_PRIORITY, 9);
  return bytes;
}

Bytes multipath_route() {
  Bytes bytes(RTM_NEWROUTE, NLM_F_REPLACE, route_header(AF_INET, 0));
  std::array<uint8_t, 32> hops{};
  for (size_t i = 0; i < 2; ++i) {
    rtnexthop hop{};
    hop.rtnh_len = 16;
    hop.rtnh_hops = static_cast<uint8_t>(i);
    hop.rtnh_ifindex = static_cast<int>(7 + i);
    std::memcpy(&hops[16 * i], &hop, sizeof hop);
    const rtattr gateway{8, RTA_GATEWAY};
    std::memcpy(&hops[16 * i + 8], &gateway, sizeof gateway);
    const uint8_t address[] = {10, 0, 0, static_cast<uint8_t>(i + 1)};
    std::memcpy(&hops[16 * i + 12], address, sizeof address);
  }
  bytes.put(RTA_MULTIPATH, hops.data(), hops.size());
  return bytes;
}

Bytes neighbor(uint16_t state) {
  ndmsg header{};
  header.ndm_family = AF_INET6;
  header.ndm_ifindex = 7;
  header.ndm_state = state;
  Bytes bytes(RTM_NEWNEIGH, 0, header);
  const uint8_t mac[] = {2, 0, 0, 0, 0, 1};
  bytes.put(NDA_DST, ip("fe80::1")).put(NDA_LLADDR, mac, sizeof mac);
  return bytes;
}

Bytes link_message() {
  ifinfomsg header{};
  header.ifi_index = 7;
  header.ifi_flags = IFF_UP;
  Bytes bytes(RTM_NEWLINK, 0, header);
  const uint8_t carrier = 1;
  bytes.put(IFLA_IFNAME, "wan", 4).number(IFLA_MTU, 9000).put(IFLA_CARRIER, &carrier, 1);
  return bytes;
}

TEST(ParseMessage, ReadsARoute) {
  const auto message = plain_route().parse();
  ASSERT_TRUE(message);
  const auto& route = std::get<RouteMessage>(message->content);
  EXPECT_EQ(route.key, (RouteKey{*Prefix::parse("192.0.2.0/24"), 9}));
  EXPECT_EQ(route.value.hops, (std::vector<KernelHop>{{.link = 7, .gateway = ip("10.0.0.1")}}));
  EXPECT_FALSE(message->removed);
}

TEST(ParseMessage, ReadsAMultipathDefaultRoute) {
  const auto message = multipath_route().parse();
  ASSERT_TRUE(message);
  const auto& route = std::get<RouteMessage>(message->content);
  EXPECT_EQ(route.key.prefix, *Prefix::parse("0.0.0.0/0"));
  EXPECT_EQ(route.value.hops,
            (std::vector<KernelHop>{{.link = 7, .gateway = ip("10.0.0.1"), .weight = 1},
                                    {.link = 8, .gateway = ip("10.0.0.2"), .weight = 2}}));
  EXPECT_TRUE(message->replaces);
}

TEST(ParseMessage, ReadsAGatewayOfTheOtherFamily) {
  Bytes bytes(RTM_NEWROUTE, 0, route_header(AF_INET, 24));
  std::array<uint8_t, 18> via{AF_INET6, 0};
  std::memcpy(&via[2], ip("fe80::1").bytes().data(), 16);
  bytes.put(RTA_DST, ip("192.0.2.0")).number(RTA_OIF, 7).put(RTA_VIA, via.data(), via.size());
  const auto message = bytes.parse();
  ASSERT_TRUE(message);
  EXPECT_EQ(std::get<RouteMessage>(message->content).value.hops.front().gateway, ip("fe80::1"));
}

TEST(ParseMessage, PassesOverRoutesThatDoNotConcernTheDataplane) {
  const auto passed_over = [](auto change, const char* destination, uint8_t family) {
    auto header = route_header(family, family == AF_INET ? 24 : 64);
    change(header);
    Bytes bytes(RTM_NEWROUTE, 0, header);
    bytes.put(RTA_DST, ip(destination)).number(RTA_OIF, 7);
    return !bytes.parse();
  };
  EXPECT_FALSE(passed_over([](rtmsg&) {}, "192.0.2.0", AF_INET));
  EXPECT_TRUE(
      passed_over([](rtmsg& header) { header.rtm_table = RT_TABLE_LOCAL; }, "192.0.2.0", AF_INET));
  EXPECT_TRUE(
      passed_over([](rtmsg& header) { header.rtm_type = RTN_LOCAL; }, "192.0.2.0", AF_INET));
  EXPECT_TRUE(
      passed_over([](rtmsg& header) { header.rtm_flags = RTM_F_CLONED; }, "2001:db8::", AF_INET6));
  EXPECT_TRUE(passed_over([](rtmsg& header) { header.rtm_tos = 8; }, "192.0.2.0", AF_INET));
  EXPECT_TRUE(passed_over([](rtmsg&) {}, "fe80::", AF_INET6));
  EXPECT_TRUE(passed_over([](rtmsg&) {}, "ff00::", AF_INET6));
  EXPECT_TRUE(passed_over([](rtmsg& header) { header.rtm_dst_len = 33; }, "192.0.2.0", AF_INET));
}

TEST(ParseMessage, ReadsTheStatesOfANeighbour) {
  const auto value = [](uint16_t state) {
    return std::get<NeighborMessage>(neighbor(state).parse()->content).value;
  };
  constexpr std::array<uint16_t, 4> kWithMac{NUD_REACHABLE, NUD_DELAY, NUD_PROBE, NUD_PERMANENT};
  for (const auto state : kWithMac) {
    EXPECT_EQ(value(state),
              (KernelNeighbor{MacAddress({2, 0, 0, 0, 0, 1}), NeighborState::kKnown, false}))
        << state;
  }
  EXPECT_TRUE(value(NUD_STALE).stale);
  EXPECT_EQ(value(NUD_FAILED), (KernelNeighbor{{}, NeighborState::kFailed, false}));
  EXPECT_EQ(value(NUD_INCOMPLETE), KernelNeighbor{});
  EXPECT_EQ(value(NUD_NONE), KernelNeighbor{});
}

TEST(ParseMessage, ReadsALinkWhoseCarrierIsNotItsAdminState) {
  const auto message = link_message().parse();
  ASSERT_TRUE(message);
  const auto& link = std::get<Link>(message->content);
  EXPECT_EQ(link.name, "wan");
  EXPECT_EQ(link.mtu, 9000U);
  EXPECT_TRUE(link.up);
}

TEST(ParseMessage, SurvivesEveryTruncation) {
  for (const auto& bytes :
       {plain_route(), multipath_route(), neighbor(NUD_REACHABLE), link_message()}) {
    for (size_t size = sizeof(nlmsghdr); size < bytes.bytes_.size(); ++size) {
      (void)bytes.parse_first(size);
    }
  }
}

TEST(ParseMessage, SurvivesRandomBytes) {
  std::mt19937 random(3);
  constexpr std::array<uint16_t, 9> kTypes{RTM_NEWLINK,  RTM_DELLINK,  RTM_NEWADDR,
                                           RTM_DELADDR,  RTM_NEWNEIGH, RTM_DELNEIGH,
                                           RTM_NEWROUTE, RTM_DELROUTE, RTM_DELNEXTHOP};
  for (int round = 0; round < 200000; ++round) {
    auto bytes = round % 2 == 0 ? multipath_route() : neighbor(NUD_STALE);
    const auto changes = 1 + random() % 8;
    for (unsigned i = 0; i < changes; ++i) {
      bytes.bytes_[random() % bytes.bytes_.size()] = static_cast<uint8_t>(random());
    }
    const uint16_t type = kTypes[random() % kTypes.size()];
    std::memcpy(&bytes.bytes_[4], &type, sizeof type);
    (void)bytes.parse();
  }
}

}  // namespace
}  // namespace ballast::netlink
