// What the parser finds in well-formed packets.
#include "dataplane/packet/parser.h"

#include <gtest/gtest.h>

#include "dataplane/packet/datagram_key.h"
#include "tests/unit/packet_builder.h"

namespace ballast {
namespace {

using testing::Bytes;
using testing::ExactBuffer;
using testing::Frame;
using testing::ip_address;
using testing::packet;
using testing::PacketBuilder;

ParsedPacket parsed(const PacketBuilder& builder) {
  const ExactBuffer buffer(builder.build().bytes);
  ParsedPacket result;
  EXPECT_EQ(name_of(parse(buffer.view(), result)), "none");
  return result;
}

// The same test for both families.
struct Ends {
  const char* client;
  const char* vip;
  const char* router;
  uint16_t header_length;

  friend void PrintTo(const Ends& ends, std::ostream* out) { *out << "vip " << ends.vip; }
};

class ParserOfBothFamilies : public ::testing::TestWithParam<Ends> {
 protected:
  [[nodiscard]] PacketBuilder from_client() const {
    return packet().ip(GetParam().client, GetParam().vip);
  }
  [[nodiscard]] bool is_v4() const { return client().is_v4(); }
  [[nodiscard]] IpAddress client() const { return ip_address(GetParam().client); }
  [[nodiscard]] IpAddress vip() const { return ip_address(GetParam().vip); }
};

INSTANTIATE_TEST_SUITE_P(
    Families, ParserOfBothFamilies,
    ::testing::Values(Ends{"198.51.100.7", "192.0.2.10", "203.0.113.1", 20},
                      Ends{"2001:db8:1::7", "2001:db8::10", "2001:db8:2::1", 40}),
    [](const auto& family) { return family.param.header_length == 20 ? "Ipv4" : "Ipv6"; });

TEST_P(ParserOfBothFamilies, FindsPortsFlagsAndLengthsOfTcp) {
  const ParsedPacket found = parsed(from_client()
                                        .ttl(17)
                                        .tcp(40000, 80, kSyn | kAck)
                                        .tcp_options({2, 4, 5, 0xb4})
                                        .payload("hello"));
  EXPECT_EQ(found.kind, PacketKind::kTransport);
  EXPECT_EQ(found.family, is_v4() ? Family::kIpv4 : Family::kIpv6);
  EXPECT_EQ(found.protocol, IpProtocol::kTcp);
  EXPECT_EQ(found.tcp_flags, kSyn | kAck);
  EXPECT_EQ(found.ttl, 17);
  EXPECT_EQ(found.source, client());
  EXPECT_EQ(found.destination, vip());
  EXPECT_EQ(found.source_port.to_host(), 40000);
  EXPECT_EQ(found.destination_port.to_host(), 80);
  EXPECT_EQ(found.network_offset, 14);
  EXPECT_EQ(found.transport_offset, 14 + GetParam().header_length);
  EXPECT_EQ(found.network_length, GetParam().header_length + 24 + 5);
  EXPECT_EQ(found.payload_length, 5);
  EXPECT_FALSE(found.fragment);
  EXPECT_FALSE(found.multicast_frame);
  EXPECT_EQ(found.vlan_tags, 0);
}

TEST_P(ParserOfBothFamilies, ReportsOnlyTheFlagsThatHaveAName) {
  constexpr uint8_t kUrgent = 0x20, kEce = 0x40, kCwr = 0x80;
  EXPECT_EQ(parsed(from_client().tcp(1, 2, kSyn | kEce | kCwr)).tcp_flags, kSyn);
  EXPECT_EQ(parsed(from_client().tcp(1, 2, kFin | kPsh | kAck | kUrgent)).tcp_flags,
            kFin | kPsh | kAck);
}

TEST_P(ParserOfBothFamilies, FindsPortsAndLengthOfUdp) {
  const ParsedPacket found = parsed(from_client().udp(5353, 53).payload("query"));
  EXPECT_EQ(found.kind, PacketKind::kTransport);
  EXPECT_EQ(found.protocol, IpProtocol::kUdp);
  EXPECT_EQ(found.source_port.to_host(), 5353);
  EXPECT_EQ(found.destination_port.to_host(), 53);
  EXPECT_EQ(found.payload_length, 5);
}

TEST_P(ParserOfBothFamilies, MakesTheFlowOfAClient) {
  const FlowKey flow = parsed(from_client().tcp(40000, 80, kSyn)).flow_from_client();
  EXPECT_EQ(flow, (FlowKey{client(), vip(), Big16::from_host(40000), Big16::from_host(80),
                           IpProtocol::kTcp}));
}

TEST_P(ParserOfBothFamilies, IgnoresEthernetPadding) {
  const ParsedPacket found = parsed(from_client().tcp(40000, 80, kAck).pad_to(120));
  EXPECT_EQ(found.payload_length, 0);
  EXPECT_EQ(found.network_length, GetParam().header_length + 20);
}

TEST_P(ParserOfBothFamilies, SkipsUpToTwoVlanTagsAndReportsTheOuter) {
  const ParsedPacket one = parsed(from_client().vlan(7).tcp(40000, 80, kSyn));
  EXPECT_EQ(one.vlan_tags, 1);
  EXPECT_EQ(one.vlan_id, 7);
  EXPECT_EQ(one.network_offset, 18);
  const ParsedPacket two = parsed(from_client().vlan(100, true).vlan(7).tcp(40000, 80, kSyn));
  EXPECT_EQ(two.vlan_tags, 2);
  EXPECT_EQ(two.vlan_id, 100);
  EXPECT_EQ(two.kind, PacketKind::kTransport);
  const ParsedPacket three = parsed(from_client().vlan(1).vlan(2).vlan(3).tcp(40000, 80, kSyn));
  EXPECT_EQ(three.kind, PacketKind::kNotIp);
}

TEST_P(ParserOfBothFamilies, TakesTheVlanIdWithoutItsPriorityBits) {
  EXPECT_EQ(parsed(from_client().vlan(0xe000 | 42).udp(1, 2)).vlan_id, 42);
}

TEST_P(ParserOfBothFamilies, KnowsPortsOfAFirstFragmentOnly) {
  const PacketBuilder datagram = from_client().udp(5353, 53).payload(Bytes(100));
  const ParsedPacket first = parsed(PacketBuilder(datagram).fragment(0, 48, true));
  EXPECT_EQ(first.kind, PacketKind::kTransport);
  EXPECT_TRUE(first.fragment);
  EXPECT_EQ(first.destination_port.to_host(), 53);
  EXPECT_EQ(first.payload_length, 40);
  const ParsedPacket later = parsed(PacketBuilder(datagram).fragment(48, SIZE_MAX, false));
  EXPECT_EQ(later.kind, PacketKind::kLaterFragment);
  EXPECT_TRUE(later.fragment);
  EXPECT_EQ(later.protocol, IpProtocol::kUdp);
  EXPECT_EQ(later.destination_port.to_host(), 0);
}

TEST_P(ParserOfBothFamilies, KnowsWhichPartOfWhichDatagramAFragmentIs) {
  const uint32_t id = is_v4() ? 0xfedc : 0xfedcba98;
  const PacketBuilder datagram = from_client().identification(id).udp(5353, 53).payload(Bytes(100));
  const ParsedPacket first = parsed(PacketBuilder(datagram).fragment(0, 48, true));
  EXPECT_EQ(first.fragment_id, id);
  EXPECT_EQ(first.fragment_begin(), 0);
  EXPECT_EQ(first.fragment_end(), 48);
  EXPECT_TRUE(first.more_fragments());
  const ParsedPacket middle = parsed(PacketBuilder(datagram).fragment(48, 16, true));
  EXPECT_EQ(middle.fragment_id, id);
  EXPECT_EQ(middle.fragment_begin(), 48);
  EXPECT_EQ(middle.fragment_end(), 64);
  EXPECT_TRUE(middle.more_fragments());
  const ParsedPacket last = parsed(PacketBuilder(datagram).fragment(64, SIZE_MAX, false));
  EXPECT_EQ(last.fragment_begin(), 64);
  EXPECT_EQ(last.fragment_end(), 108) << "odd in units of 8 bytes";
  EXPECT_FALSE(last.more_fragments());
  const ParsedPacket whole = parsed(datagram);
  EXPECT_EQ(whole.fragment_id, 0U);
  EXPECT_EQ(whole.fragment_end(), 0);
}

TEST_P(ParserOfBothFamilies, GivesAllFragmentsOfADatagramOneKey) {
  const auto key_of = [](const PacketBuilder& builder) { return DatagramKey::of(parsed(builder)); };
  const PacketBuilder datagram = from_client().udp(5353, 53).payload(Bytes(100));
  const DatagramKey first = key_of(PacketBuilder(datagram).fragment(0, 48, true));
  EXPECT_EQ(key_of(PacketBuilder(datagram).fragment(48, 16, true)), first);
  EXPECT_EQ(key_of(PacketBuilder(datagram).fragment(64, SIZE_MAX, false)), first);
  EXPECT_NE(key_of(PacketBuilder(datagram).identification(0x1235).fragment(0, 48, true)), first);
  const PacketBuilder segment = from_client().tcp(5353, 53, kAck).payload(Bytes(100));
  EXPECT_EQ(key_of(PacketBuilder(segment).fragment(0, 48, true)) == first, !is_v4())
      << "the protocol is part of the key in IPv4 only";
  const PacketBuilder reply =
      packet().ip(GetParam().vip, GetParam().client).udp(5353, 53).payload(Bytes(100));
  EXPECT_NE(key_of(PacketBuilder(reply).fragment(0, 48, true)), first);
}

TEST_P(ParserOfBothFamilies, TellsPingsFromTheirFragments) {
  const PacketBuilder ping = from_client().echo_request(1, 2).payload(Bytes(100));
  const ParsedPacket whole = parsed(ping);
  EXPECT_EQ(whole.kind, PacketKind::kEchoRequest);
  EXPECT_FALSE(whole.fragment);
  const ParsedPacket first = parsed(PacketBuilder(ping).fragment(0, 48, true));
  EXPECT_EQ(first.kind, PacketKind::kEchoRequest);
  EXPECT_TRUE(first.fragment);
}

TEST_P(ParserOfBothFamilies, FindsTheTupleThatAnErrorQuotes) {
  const Frame answer =
      packet().ip(GetParam().vip, GetParam().client).tcp(80, 40000, kAck).payload("lost").build();
  const ParsedPacket found =
      parsed(packet()
                 .ip(GetParam().router, GetParam().vip)
                 .icmp_error(is_v4() ? kIcmpDestinationUnreachable : kIcmpv6DestinationUnreachable,
                             is_v4() ? 1 : 3, answer, {}, GetParam().header_length + 8U));
  EXPECT_EQ(found.kind, PacketKind::kIcmpError);
  EXPECT_EQ(found.icmp_code, is_v4() ? 1 : 3);
  EXPECT_EQ(found.inner.source, vip());
  EXPECT_EQ(found.inner.destination, client());
  EXPECT_EQ(found.inner.protocol, IpProtocol::kTcp);
  EXPECT_TRUE(found.inner.has_ports);
  EXPECT_EQ(found.inner.source_port.to_host(), 80);
  EXPECT_EQ(found.inner.destination_port.to_host(), 40000);
  EXPECT_EQ(found.inner.network_offset, found.transport_offset + 8);
  EXPECT_EQ(found.inner.transport_offset, found.inner.network_offset + GetParam().header_length);
}

TEST_P(ParserOfBothFamilies, FindsNoPortsInAQuotedLaterFragmentOrPing) {
  const PacketBuilder answer =
      packet().ip(GetParam().vip, GetParam().client).udp(53, 5353).payload(Bytes(100));
  const Frame ping = packet().ip(GetParam().vip, GetParam().client).echo_request(1, 2).build();
  for (const Frame& quoted : {PacketBuilder(answer).fragment(48, 24, true).build(), ping}) {
    const ParsedPacket found =
        parsed(packet()
                   .ip(GetParam().router, GetParam().vip)
                   .icmp_error(is_v4() ? kIcmpTimeExceeded : kIcmpv6TimeExceeded, 1, quoted));
    EXPECT_EQ(found.kind, PacketKind::kIcmpError);
    EXPECT_FALSE(found.inner.has_ports);
  }
}

TEST_P(ParserOfBothFamilies, LeavesOtherProtocolsToOthers) {
  const IpProtocol icmp_of_the_other = is_v4() ? IpProtocol::kIcmpv6 : IpProtocol::kIcmp;
  for (const IpProtocol protocol :
       {IpProtocol::kVrrp, IpProtocol::kEsp, IpProtocol::kGre, icmp_of_the_other, IpProtocol{89}}) {
    const ParsedPacket found = parsed(from_client().protocol(protocol));
    EXPECT_EQ(found.kind, PacketKind::kOtherIp);
    EXPECT_EQ(found.protocol, protocol);
  }
}

TEST_P(ParserOfBothFamilies, AcceptsALinkLocalSource) {
  const auto* source = is_v4() ? "169.254.7.7" : "fe80::7";
  EXPECT_EQ(parsed(packet().ip(source, GetParam().vip).udp(1, 2)).kind, PacketKind::kTransport);
}

TEST_P(ParserOfBothFamilies, PrintsAPacketOnALine) {
  const std::string flow = is_v4() ? "tcp 198.51.100.7:40000 -> 192.0.2.10:80"
                                   : "tcp [2001:db8:1::7]:40000 -> [2001:db8::10]:80";
  EXPECT_EQ(to_string(parsed(from_client().tcp(40000, 80, kSyn))), flow + " S");
  EXPECT_EQ(to_string(parsed(from_client().vlan(7).tcp(40000, 80, kPsh | kAck))),
            flow + " PA vlan 7");
}

TEST(Parser, SkipsIpv4Options) {
  const ParsedPacket found = parsed(packet()
                                        .ip("198.51.100.7", "192.0.2.10")
                                        .ipv4_options({1, 148, 4, 0, 0})
                                        .tcp(40000, 80, kSyn));
  EXPECT_EQ(found.transport_offset, 14 + 28);
  EXPECT_EQ(found.destination_port.to_host(), 80);
}

TEST(Parser, SkipsIpv6ExtensionHeaders) {
  const ParsedPacket found = parsed(packet()
                                        .ip("2001:db8:1::7", "2001:db8::10")
                                        .extension(IpProtocol::kHopByHop)
                                        .extension(IpProtocol::kDestinationOptions, Bytes(14))
                                        .routing(2, 0)
                                        .fragment_header()
                                        .extension(IpProtocol::kAuthentication, Bytes(22))
                                        .extension(IpProtocol::kDestinationOptions)
                                        .udp(5353, 53));
  EXPECT_EQ(found.protocol, IpProtocol::kUdp);
  EXPECT_EQ(found.destination_port.to_host(), 53);
  EXPECT_EQ(found.transport_offset, 14 + 40 + 8 + 16 + 24 + 8 + 24 + 8);
}

// RFC 8200 section 4.5: further extension headers are part of what is fragmented, and a later
// fragment names them where the first one's chain goes on to the transport protocol.
TEST(Parser, CountsTheExtensionHeadersBehindAFragmentHeaderAsItsPart) {
  const PacketBuilder datagram = packet()
                                     .ip("2001:db8:1::7", "2001:db8::10")
                                     .extension(IpProtocol::kHopByHop)
                                     .fragment_header()
                                     .extension(IpProtocol::kDestinationOptions, Bytes(14))
                                     .udp(5353, 53)
                                     .payload(Bytes(100));
  const ParsedPacket first = parsed(PacketBuilder(datagram).fragment(0, 48, true));
  EXPECT_EQ(first.protocol, IpProtocol::kUdp);
  EXPECT_EQ(first.transport_offset, 14 + 40 + 8 + 8 + 16);
  EXPECT_EQ(first.fragment_end(), 48);
  EXPECT_EQ(first.payload_length, 48 - 16 - 8);
  const ParsedPacket later = parsed(PacketBuilder(datagram).fragment(48, SIZE_MAX, false));
  EXPECT_EQ(later.protocol, IpProtocol::kDestinationOptions);
  EXPECT_EQ(later.transport_offset, 14 + 40 + 8 + 8);
  EXPECT_EQ(later.fragment_begin(), 48);
  EXPECT_EQ(later.fragment_end(), 16 + 8 + 100);
  EXPECT_EQ(DatagramKey::of(later), DatagramKey::of(first));
}

TEST(Parser, TakesAnAtomicFragmentForAWholePacket) {  // RFC 6946
  const ParsedPacket found =
      parsed(packet().ip("2001:db8:1::7", "2001:db8::10").fragment_header().udp(5353, 53));
  EXPECT_FALSE(found.fragment);
  EXPECT_EQ(found.kind, PacketKind::kTransport);
  EXPECT_EQ(found.fragment_id, 0U);
  EXPECT_EQ(found.fragment_length, 0);
}

TEST(Parser, TakesNoNextHeaderForAPacketOfItsOwn) {
  const ParsedPacket found = parsed(packet()
                                        .ip("2001:db8:1::7", "2001:db8::10")
                                        .extension(IpProtocol::kDestinationOptions)
                                        .protocol(IpProtocol::kNoNext));
  EXPECT_EQ(found.kind, PacketKind::kOtherIp);
  EXPECT_EQ(found.protocol, IpProtocol::kNoNext);
}

TEST(Parser, AcceptsAnUnspecifiedSourceThatSpeaksToMany) {
  EXPECT_EQ(parsed(packet().ip("0.0.0.0", "255.255.255.255").udp(68, 67)).kind,
            PacketKind::kTransport);
  EXPECT_EQ(parsed(packet().ip("0.0.0.0", "224.0.0.1").protocol(IpProtocol{2})).kind,
            PacketKind::kOtherIp);
  EXPECT_EQ(parsed(packet().ip("::", "ff02::16").icmp(143, 0)).kind, PacketKind::kIcmpOther);
  EXPECT_EQ(parsed(packet().ip("::", "ff02::1:ff00:10").neighbor_solicitation("2001:db8::10")).kind,
            PacketKind::kNeighborDiscovery);
}

TEST(Parser, TakesSourceQuenchAndRedirectForNoErrors) {
  for (const uint8_t type : {kIcmpSourceQuench, kIcmpRedirect}) {
    EXPECT_EQ(parsed(packet().ip("203.0.113.1", "192.0.2.10").icmp(type, 0)).kind,
              PacketKind::kIcmpOther);
  }
}

TEST(Parser, DoesNotBelieveAnErrorInFragments) {
  const Frame answer = packet().ip("192.0.2.10", "198.51.100.7").tcp(80, 40000, kAck).build();
  const ParsedPacket found = parsed(packet()
                                        .ip("203.0.113.1", "192.0.2.10")
                                        .icmp_error(kIcmpTimeExceeded, 0, answer)
                                        .fragment(0, 40, true));
  EXPECT_EQ(found.kind, PacketKind::kIcmpOther);
  EXPECT_TRUE(found.fragment);
}

TEST(Parser, FindsTheAddressesOfArp) {
  const ParsedPacket found = parsed(
      packet()
          .ethernet(testing::kClientMac, "ff:ff:ff:ff:ff:ff")
          .arp(kArpRequest, testing::kClientMac, "192.0.2.7", "00:00:00:00:00:00", "192.0.2.10")
          .pad_to(60));
  EXPECT_EQ(found.kind, PacketKind::kArp);
  EXPECT_EQ(found.source, ip_address("192.0.2.7"));
  EXPECT_EQ(found.destination, ip_address("192.0.2.10"));
  EXPECT_TRUE(found.multicast_frame);
}

TEST(Parser, AcceptsNeighborDiscoveryOfEveryType) {
  const PacketBuilder messages[] = {
      packet().ip("fe80::7", "ff02::2").ttl(255).icmp(kIcmpv6RouterSolicitation, 0),
      packet()
          .ip("fe80::1", "ff02::1")
          .ttl(255)
          .icmp(kIcmpv6RouterAdvertisement, 0)
          .payload(Bytes(8)),
      packet()
          .ip("fe80::7", "ff02::1:ff00:10")
          .neighbor_solicitation("2001:db8::10", testing::kClientMac),
      packet()
          .ip("fe80::7", "ff02::1")
          .neighbor_advertisement("fe80::7", kNdFlagOverride, testing::kClientMac),
  };
  uint8_t type = kIcmpv6RouterSolicitation;
  for (const PacketBuilder& message : messages) {
    const ParsedPacket found = parsed(message);
    EXPECT_EQ(found.kind, PacketKind::kNeighborDiscovery);
    EXPECT_EQ(found.icmp_type, type++);
  }
}

TEST(Parser, LeavesWhatIsNotIpAlone) {
  for (const uint16_t type : {uint16_t{0x88cc}, uint16_t{0x0027}, uint16_t{0x8847}}) {
    const ParsedPacket found = parsed(packet().ether_type(type).payload("anything"));
    EXPECT_EQ(found.kind, PacketKind::kNotIp);
    EXPECT_EQ(found.network_offset, 14);
  }
}

}  // namespace
}  // namespace ballast
