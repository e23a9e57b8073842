#include "tests/unit/packet_samples.h"

#include <utility>

namespace ballast::testing {
namespace {

struct Ends {
  std::string name;
  std::string_view client;
  std::string_view vip;
  std::string_view router;
};

const Ends kFamilies[] = {{"ipv4", "198.51.100.7", "192.0.2.10", "203.0.113.1"},
                          {"ipv6", "2001:db8:1::7", "2001:db8::10", "2001:db8:2::1"}};

constexpr std::string_view kText =
    "0123456789abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const Bytes kMaximumSegmentSize{2, 4, 5, 0xb4};

void add_transport(std::vector<Sample>& samples, const Ends& ends) {
  const auto add = [&](std::string_view what, PacketKind kind, const PacketBuilder& builder) {
    samples.push_back({ends.name + "_" + std::string(what), kind, builder.build()});
  };
  const auto from_client = [&] { return packet().ip(ends.client, ends.vip); };
  add("syn", PacketKind::kTransport,
      from_client().tcp(40000, 80, kSyn).tcp_options(kMaximumSegmentSize));
  add("data", PacketKind::kTransport,
      from_client().tcp(40000, 80, kPsh | kAck).sequence(7, 9).payload(kText));
  add("padded_ack", PacketKind::kTransport, from_client().tcp(40000, 80, kAck).pad_to(90));
  add("udp", PacketKind::kTransport, from_client().udp(5353, 53).payload("query"));
  add("udp_empty", PacketKind::kTransport, from_client().udp(5353, 53));
  add("vlan_syn", PacketKind::kTransport, from_client().vlan(7).tcp(40000, 80, kSyn));
  add("two_vlans_udp", PacketKind::kTransport,
      from_client().vlan(100, true).vlan(7).udp(5353, 53).payload("query"));
  add("first_fragment", PacketKind::kTransport,
      from_client().udp(5353, 53).payload(kText).fragment(0, 48, true));
  add("later_fragment", PacketKind::kLaterFragment,
      from_client().udp(5353, 53).payload(kText).fragment(48, SIZE_MAX, false));
  add("esp", PacketKind::kOtherIp, from_client().protocol(IpProtocol::kEsp).payload(kText));
}

void add_icmp(std::vector<Sample>& samples, const Ends& ends) {
  const bool four = ends.name == "ipv4";
  const auto add = [&](std::string_view what, PacketKind kind, const PacketBuilder& builder) {
    samples.push_back({ends.name + "_" + std::string(what), kind, builder.build()});
  };
  const Frame answer =
      packet().ip(ends.vip, ends.client).tcp(80, 40000, kAck).payload(kText).build();
  const auto error = [&] { return packet().ip(ends.router, ends.vip); };
  add("echo_request", PacketKind::kEchoRequest,
      packet().ip(ends.client, ends.vip).echo_request(1, 2).payload("odd"));
  add("echo_reply", PacketKind::kIcmpOther,
      packet()
          .ip(ends.client, ends.vip)
          .icmp(four ? kIcmpEchoReply : kIcmpv6EchoReply, 0, echo_fields(1, 2)));
  add("too_big", PacketKind::kIcmpError,
      four ? error().icmp_error(kIcmpDestinationUnreachable, kIcmpFragmentationNeeded, answer,
                                mtu(1400))
           : error().icmp_error(kIcmpv6PacketTooBig, 0, answer, mtu_v6(1400)));
  add("time_exceeded", PacketKind::kIcmpError,
      error().icmp_error(four ? kIcmpTimeExceeded : kIcmpv6TimeExceeded, 0, answer, {},
                         four ? 28 : 48));
  const Frame fragment = packet()
                             .ip(ends.vip, ends.client)
                             .udp(53, 5353)
                             .payload(kText)
                             .fragment(16, 16, true)
                             .build();
  add("error_about_fragment", PacketKind::kIcmpError,
      error().icmp_error(four ? kIcmpDestinationUnreachable : kIcmpv6DestinationUnreachable, 1,
                         fragment));
}

void add_ipv4_only(std::vector<Sample>& samples, const Ends& ends) {
  samples.push_back({"ipv4_options", PacketKind::kTransport,
                     packet()
                         .ip(ends.client, ends.vip)
                         .ipv4_options({1, 148, 4, 0, 0, 7, 3, 4, 0})
                         .tcp(40000, 80, kSyn)
                         .build()});
  samples.push_back({"ipv4_vrrp", PacketKind::kOtherIp,
                     packet()
                         .ethernet("00:00:5e:00:01:33", "01:00:5e:00:00:12")
                         .ip(ends.router, "224.0.0.18")
                         .ttl(255)
                         .protocol(IpProtocol::kVrrp)
                         .payload(Bytes{0x31, 51, 100, 1, 0, 10, 0, 0, 192, 0, 2, 10})
                         .build()});
  samples.push_back({"ipv4_dhcp", PacketKind::kTransport,
                     packet()
                         .ethernet(kClientMac, "ff:ff:ff:ff:ff:ff")
                         .ip("0.0.0.0", "255.255.255.255")
                         .udp(68, 67)
                         .payload(kText)
                         .build()});
  samples.push_back({"arp_request", PacketKind::kArp,
                     packet()
                         .ethernet(kClientMac, "ff:ff:ff:ff:ff:ff")
                         .arp(kArpRequest, kClientMac, ends.client, "00:00:00:00:00:00", ends.vip)
                         .pad_to(60)
                         .build()});
  samples.push_back({"lldp", PacketKind::kNotIp,
                     packet()
                         .ethernet(kClientMac, "01:80:c2:00:00:0e")
                         .ether_type(0x88cc)
                         .payload(Bytes{2, 7, 4, 2, 0, 0, 0, 0, 1, 0, 0})
                         .build()});
}

void add_ipv6_only(std::vector<Sample>& samples, const Ends& ends) {
  const auto from_client = [&] { return packet().ip(ends.client, ends.vip); };
  samples.push_back({"ipv6_extensions", PacketKind::kTransport,
                     from_client()
                         .extension(IpProtocol::kHopByHop, {5, 2, 0, 0})
                         .extension(IpProtocol::kDestinationOptions, {1, 12})
                         .routing(2, 0)
                         .extension(IpProtocol::kAuthentication, Bytes(22))
                         .tcp(40000, 80, kSyn)
                         .build()});
  samples.push_back({"ipv6_atomic_fragment", PacketKind::kTransport,
                     from_client().fragment_header().udp(5353, 53).payload("query").build()});
  samples.push_back({"ipv6_error_with_extensions", PacketKind::kIcmpError,
                     packet()
                         .ip(ends.router, ends.vip)
                         .icmp_error(kIcmpv6TimeExceeded, 0,
                                     packet()
                                         .ip(ends.vip, ends.client)
                                         .extension(IpProtocol::kDestinationOptions)
                                         .fragment_header()
                                         .udp(53, 5353)
                                         .payload("answer")
                                         .build())
                         .build()});
  samples.push_back({"ipv6_neighbor_solicitation", PacketKind::kNeighborDiscovery,
                     packet()
                         .ethernet(kClientMac, "33:33:ff:00:00:10")
                         .ip("fe80::7", "ff02::1:ff00:10")
                         .neighbor_solicitation(ends.vip, kClientMac)
                         .build()});
  samples.push_back({"ipv6_duplicate_address_detection", PacketKind::kNeighborDiscovery,
                     packet()
                         .ethernet(kClientMac, "33:33:ff:00:00:10")
                         .ip("::", "ff02::1:ff00:10")
                         .neighbor_solicitation(ends.vip)
                         .build()});
  samples.push_back(
      {"ipv6_neighbor_advertisement", PacketKind::kNeighborDiscovery,
       packet()
           .ip("fe80::7", "fe80::1")
           .neighbor_advertisement("fe80::7", kNdFlagSolicited | kNdFlagOverride, kClientMac)
           .build()});
  samples.push_back({"ipv6_router_advertisement", PacketKind::kNeighborDiscovery,
                     packet()
                         .ip("fe80::1", "ff02::1")
                         .ttl(255)
                         .icmp(kIcmpv6RouterAdvertisement, 0, {64, 0, 7, 8})
                         .payload(Bytes{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 0, 0, 0, 0, 1})
                         .build()});
  samples.push_back({"ipv6_mld_report", PacketKind::kIcmpOther,
                     packet()
                         .ip("::", "ff02::16")
                         .ttl(1)
                         .extension(IpProtocol::kHopByHop, {5, 2, 0, 0})
                         .icmp(kIcmpv6MulticastListenerReportV2, 0)
                         .build()});
}

}  // namespace

std::vector<Sample> sample_frames() {
  std::vector<Sample> samples;
  for (const Ends& ends : kFamilies) {
    add_transport(samples, ends);
    add_icmp(samples, ends);
  }
  add_ipv4_only(samples, kFamilies[0]);
  add_ipv6_only(samples, kFamilies[1]);
  return samples;
}

}  // namespace ballast::testing
