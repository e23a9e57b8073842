// One malformed packet, or several, for every reason that the parser can give.
#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "dataplane/packet/parser.h"
#include "tests/unit/packet_builder.h"

namespace ballast {
namespace {

using testing::Bytes;
using testing::ExactBuffer;
using testing::Frame;
using testing::packet;
using testing::PacketBuilder;

std::string_view reason_of(const Frame& frame) {
  const ExactBuffer buffer(frame.bytes);
  ParsedPacket out;
  return name_of(parse(buffer.view(), out));
}
std::string_view reason_of(const PacketBuilder& builder) {
  return reason_of(builder.build());
}

// A good frame, broken by `change`, with its checksums right again.
std::string_view reason_after(const PacketBuilder& builder,
                              const std::function<void(Frame&)>& change) {
  Frame frame = builder.build();
  EXPECT_EQ(reason_of(frame), "none");
  change(frame);
  frame.fix_checksums();
  return reason_of(frame);
}

PacketBuilder four() {
  return packet().ip("198.51.100.7", "192.0.2.10");
}
PacketBuilder six() {
  return packet().ip("2001:db8:1::7", "2001:db8::10");
}
PacketBuilder syn(PacketBuilder builder) {
  return builder.tcp(40000, 80, kSyn);
}
PacketBuilder query(PacketBuilder builder) {
  return builder.udp(5353, 53).payload("query");
}

TEST(ParserDrops, ShortEthernetAndVlan) {
  EXPECT_EQ(reason_of(Frame{}), "ethernet_short");
  EXPECT_EQ(reason_of(Frame{Bytes(13)}), "ethernet_short");
  EXPECT_EQ(reason_of(syn(four().vlan(7)).build().truncated(17)), "vlan_short");
  EXPECT_EQ(reason_of(syn(four().vlan(7).vlan(8)).build().truncated(21)), "vlan_short");
}

TEST(ParserDrops, Ipv4HeaderThatContradictsItself) {
  EXPECT_EQ(reason_of(syn(four()).build().truncated(33)), "ipv4_short");
  EXPECT_EQ(reason_after(syn(four()), [](Frame& f) { f.ipv4()->version_and_length = 0x65; }),
            "ipv4_version");
  Frame frame = syn(four()).build();
  frame.ipv4()->version_and_length = 0x44;
  EXPECT_EQ(reason_of(frame), "ipv4_header_length");
  frame.ipv4()->version_and_length = 0x4f;
  EXPECT_EQ(reason_of(frame), "ipv4_header_length");
}

TEST(ParserDrops, Ipv4TotalLengthBelowTheHeaderOrBeyondTheFrame) {
  for (const uint16_t length : {uint16_t{0}, uint16_t{19}, uint16_t{41}, uint16_t{65535}}) {
    Frame frame = syn(four()).build();
    frame.ipv4()->total_length = Big16::from_host(length);
    EXPECT_EQ(reason_of(frame), "ipv4_total_length") << length;
  }
}

TEST(ParserDrops, EveryBitFlippedInAnIpv4Header) {
  for (const PacketBuilder& builder : {syn(four()), syn(four().ipv4_options(Bytes(40, 1)))}) {
    const Frame good = builder.build();
    for (size_t bit = 14 * 8; bit < good.transport_offset() * 8; ++bit) {
      Frame frame = good;
      frame.bytes[bit / 8] ^= static_cast<uint8_t>(1U << bit % 8);
      EXPECT_NE(reason_of(frame), "none") << bit;
    }
  }
  Frame frame = syn(four()).build();
  frame.ipv4()->identification = Big16::from_host(7);
  EXPECT_EQ(reason_of(frame), "ipv4_checksum");
}

TEST(ParserDrops, MalformedIpv4OptionsAndSourceRouting) {
  const Bytes bad[] = {
      {148, 1, 0, 0},            // a length that does not hold the two bytes it counts
      {148, 0, 0, 0},            // would never end
      {148, 5, 0, 0},            // beyond the header
      {1, 1, 1, 148},            // no room for a length
      {131, 7, 4, 10, 0, 0, 1},  // loose source route
      {137, 7, 4, 10, 0, 0, 1},  // strict source route
      {1, 131, 3, 4},            // a source route behind another option
  };
  for (const Bytes& options : bad) {
    EXPECT_EQ(reason_of(syn(four().ipv4_options(options))), "ipv4_options");
  }
  EXPECT_EQ(reason_of(syn(four().ipv4_options({0, 131, 1, 1}))), "none") << "behind the end";
  EXPECT_EQ(reason_of(syn(four().ipv4_options({7, 7, 4, 0, 0, 0, 0}))), "none");
}

TEST(ParserDrops, Ipv6HeaderThatContradictsItself) {
  EXPECT_EQ(reason_of(syn(six()).build().truncated(53)), "ipv6_short");
  EXPECT_EQ(reason_after(syn(six()), [](Frame& f) { f.bytes[14] = 0x40; }), "ipv6_version");
  for (const uint16_t length : {uint16_t{21}, uint16_t{65535}}) {
    Frame frame = syn(six()).build();
    frame.ipv6()->payload_length = Big16::from_host(length);
    EXPECT_EQ(reason_of(frame), "ipv6_payload_length") << length;
  }
}

TEST(ParserDrops, Ipv6PacketLongerThanItsLengthCanBeCounted) {
  Frame frame = syn(six()).payload(Bytes(65535 - 20)).build();
  ASSERT_EQ(frame.ipv6()->payload_length.to_host(), 65535);
  EXPECT_EQ(reason_of(frame), "ipv6_payload_length");
}

TEST(ParserDrops, ExtensionHeadersCutOffOutOfOrderOrTooMany) {
  const auto options = IpProtocol::kDestinationOptions;
  EXPECT_EQ(reason_of(syn(six().extension(options).extension(IpProtocol::kHopByHop))),
            "ipv6_extension_header");
  PacketBuilder many = six();
  for (int i = 0; i < 8; ++i) {
    many.extension(options);
  }
  EXPECT_EQ(reason_of(syn(many)), "none");
  EXPECT_EQ(reason_of(syn(many.extension(options))), "ipv6_extension_header");
  EXPECT_EQ(reason_of(query(six().fragment_header().fragment_header())), "ipv6_extension_header");
  Frame beyond = syn(six().extension(options)).build();
  beyond.bytes[14 + 40 + 1] = 255;  // the header says 2048 bytes
  EXPECT_EQ(reason_of(beyond), "ipv6_extension_header");
  // The packet ends in the middle of it; behind it is padding only.
  Frame frame = syn(six().extension(options)).build();
  frame.ipv6()->payload_length = Big16::from_host(7);
  EXPECT_EQ(reason_of(frame), "ipv6_extension_header");
  frame.ipv6()->payload_length = Big16::from_host(0);
  EXPECT_EQ(reason_of(frame), "ipv6_extension_header");
}

TEST(ParserDrops, ExtensionHeaderThatEndsInTheEthernetPadding) {
  for (size_t end = 8; end < 24; ++end) {
    Frame frame = syn(six().extension(IpProtocol::kDestinationOptions, Bytes(22))).build();
    frame.ipv6()->payload_length = Big16::from_host(static_cast<uint16_t>(end));
    EXPECT_EQ(reason_of(frame), "ipv6_extension_header") << end;
  }
}

TEST(ParserDrops, RoutingHeaderWithSegmentsLeft) {
  EXPECT_EQ(reason_of(syn(six().routing(0, 1))), "ipv6_routing_header");
  EXPECT_EQ(reason_of(syn(six().routing(4, 2))), "ipv6_routing_header");
  EXPECT_EQ(reason_of(syn(six().routing(0, 0))), "none");
}

TEST(ParserDrops, SourcesThatCannotBe) {
  for (const auto* source : {"224.0.0.1", "239.1.2.3", "255.255.255.255", "127.0.0.1", "0.0.0.0"}) {
    EXPECT_EQ(reason_of(syn(packet().ip(source, "192.0.2.10"))), "source_address") << source;
  }
  for (const auto* source : {"ff02::1", "::1", "::"}) {
    EXPECT_EQ(reason_of(syn(packet().ip(source, "2001:db8::10"))), "source_address") << source;
  }
  const IpAddress::V6Bytes mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 198, 51, 100, 7};
  EXPECT_EQ(reason_after(syn(six()), [&](Frame& f) { f.ipv6()->source = mapped; }),
            "source_address");
  // Even to multicast, nobody pings without an address.
  EXPECT_EQ(reason_of(packet().ip("::", "ff02::1").echo_request(1, 2)), "source_address");
  EXPECT_EQ(reason_of(packet().ip("0.0.0.0", "224.0.0.1").echo_request(1, 2)), "source_address");
}

TEST(ParserDrops, DestinationsThatCannotBe) {
  for (const auto* destination : {"0.0.0.0", "127.0.0.1"}) {
    EXPECT_EQ(reason_of(syn(packet().ip("198.51.100.7", destination))), "destination_address");
  }
  for (const auto* destination : {"::", "::1"}) {
    EXPECT_EQ(reason_of(syn(packet().ip("2001:db8::7", destination))), "destination_address");
  }
  const IpAddress::V6Bytes mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 10};
  EXPECT_EQ(reason_after(syn(six()), [&](Frame& f) { f.ipv6()->destination = mapped; }),
            "destination_address");
}

TEST(ParserDrops, LandAttackAndHopLimitOfZero) {
  EXPECT_EQ(reason_of(syn(packet().ip("192.0.2.10", "192.0.2.10"))), "land_attack");
  EXPECT_EQ(reason_of(syn(packet().ip("2001:db8::10", "2001:db8::10"))), "land_attack");
  EXPECT_EQ(reason_of(syn(four().ttl(0))), "ttl_expired");
  EXPECT_EQ(reason_of(syn(six().ttl(0))), "ttl_expired");
}

// What is behind the IP headers is the same for both families.
class TransportDrops : public ::testing::TestWithParam<std::string> {
 protected:
  [[nodiscard]] static bool is_v4() { return GetParam() == "Ipv4"; }
  [[nodiscard]] static PacketBuilder ip() { return is_v4() ? four() : six(); }
  // The packet's own length says that `bytes` follow the IP header.
  static void shorten(Frame& frame, size_t bytes) {
    if (Ipv4Header* four = frame.ipv4(); four != nullptr) {
      four->total_length = Big16::from_host(static_cast<uint16_t>(20 + bytes));
    } else {
      frame.ipv6()->payload_length = Big16::from_host(static_cast<uint16_t>(bytes));
    }
  }
  static std::string_view reason_when_shortened(const PacketBuilder& builder, size_t bytes) {
    Frame frame = builder.build();
    shorten(frame, bytes);
    if (frame.ipv4() != nullptr) {
      frame.ipv4()->checksum = {};
      const Bytes header(frame.bytes.begin() + 14, frame.bytes.begin() + 34);
      frame.ipv4()->checksum = Big16::from_host(testing::reference_checksum(header));
    }
    return reason_of(frame);
  }
};

INSTANTIATE_TEST_SUITE_P(Families, TransportDrops, ::testing::Values("Ipv4", "Ipv6"),
                         [](const auto& family) { return family.param; });

TEST_P(TransportDrops, TcpHeaderCutOff) {
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{19}}) {
    EXPECT_EQ(reason_when_shortened(syn(ip()), bytes), "tcp_short") << bytes;
  }
}

TEST_P(TransportDrops, TcpDataOffsetBelowTheHeaderOrBeyondTheSegment) {
  for (const uint8_t offset : {uint8_t{0x00}, uint8_t{0x40}, uint8_t{0x60}, uint8_t{0xf0}}) {
    EXPECT_EQ(reason_after(syn(ip()), [&](Frame& f) { f.tcp()->data_offset = offset; }),
              "tcp_header_length");
  }
}

TEST_P(TransportDrops, TcpFlagsThatNoStackSends) {
  constexpr uint8_t kUrgent = 0x20, kEce = 0x40, kCwr = 0x80;
  for (unsigned flags = 0; flags < 256; ++flags) {
    const bool named = (flags & (kFin | kSyn | kRst | kPsh | kAck | kUrgent)) != 0;
    const bool syn_and_end = (flags & kSyn) != 0 && (flags & (kFin | kRst)) != 0;
    const bool two_ends = (flags & (kFin | kRst)) == (kFin | kRst);
    const auto expected = !named || syn_and_end || two_ends ? "tcp_flags" : "none";
    EXPECT_EQ(reason_of(ip().tcp(40000, 80, static_cast<uint8_t>(flags))), expected) << flags;
  }
  EXPECT_EQ(reason_of(ip().tcp(40000, 80, kSyn | kEce | kCwr)), "none");
}

TEST_P(TransportDrops, UdpHeaderCutOffOrOfAWrongLength) {
  EXPECT_EQ(reason_when_shortened(query(ip()), 7), "udp_short");
  EXPECT_EQ(reason_when_shortened(query(ip()), 0), "udp_short");
  for (const uint16_t length : {uint16_t{0}, uint16_t{7}, uint16_t{14}, uint16_t{65535}}) {
    Frame frame = query(ip()).build();
    frame.udp()->length = Big16::from_host(length);
    EXPECT_EQ(reason_of(frame), "udp_length") << length;
  }
}

TEST_P(TransportDrops, PortZero) {
  EXPECT_EQ(reason_of(ip().tcp(0, 80, kSyn)), "port_zero");
  EXPECT_EQ(reason_of(ip().tcp(40000, 0, kSyn)), "port_zero");
  EXPECT_EQ(reason_of(ip().udp(0, 53)), "port_zero");
  EXPECT_EQ(reason_of(ip().udp(5353, 0)), "port_zero");
}

TEST_P(TransportDrops, TinyFirstFragmentsAndOverlapsOfATcpHeader) {
  const PacketBuilder segment =
      ip().tcp(40000, 80, kSyn).tcp_options(Bytes(20, 1)).payload(Bytes(100));
  EXPECT_EQ(reason_of(PacketBuilder(segment).fragment(0, 8, true)), "fragment_tiny");
  EXPECT_EQ(reason_of(PacketBuilder(segment).fragment(0, 16, true)), "fragment_tiny");
  EXPECT_EQ(reason_of(PacketBuilder(segment).fragment(0, 32, true)), "fragment_tiny")
      << "cut in its options";
  EXPECT_EQ(reason_of(PacketBuilder(segment).fragment(0, 40, true)), "none");
  EXPECT_EQ(reason_of(PacketBuilder(segment).fragment(8, SIZE_MAX, false)), "fragment_tiny");
  EXPECT_EQ(reason_of(PacketBuilder(segment).fragment(40, SIZE_MAX, false)), "none");
  EXPECT_EQ(reason_of(query(ip()).fragment(8, SIZE_MAX, false)), "none") << "no part of its header";
}

TEST_P(TransportDrops, FragmentsOfAWrongLength) {
  const PacketBuilder datagram = ip().udp(5353, 53).payload(Bytes(100));
  EXPECT_EQ(reason_of(PacketBuilder(datagram).fragment(0, 47, true)), "fragment_length");
  EXPECT_EQ(reason_of(PacketBuilder(datagram).fragment(48, 9, true)), "fragment_length");
  EXPECT_EQ(reason_of(PacketBuilder(datagram).fragment(48, 9, false)), "none");
  EXPECT_EQ(reason_of(PacketBuilder(datagram).fragment(0, 0, true)), "fragment_length");
  EXPECT_EQ(reason_of(PacketBuilder(datagram).fragment(48, 0, true)), "fragment_length");
  EXPECT_EQ(reason_of(PacketBuilder(datagram).fragment(48, 0, false)), "fragment_length");
  // The ping of death: a last fragment that ends beyond 65535.
  const PacketBuilder ping = ip().echo_request(1, 2).payload(Bytes(65500));
  Frame frame = PacketBuilder(ping).fragment(65464, 40, false).build();
  ASSERT_EQ(reason_of(frame), "none");
  if (is_v4()) {
    frame.ipv4()->fragment = Big16::from_host(8189);
  } else {
    frame.bytes[14 + 40 + 2] = 0xff;
    frame.bytes[14 + 40 + 3] = 0xf8;
  }
  frame.fix_checksums();
  EXPECT_EQ(reason_of(frame), "fragment_length");
}

TEST_P(TransportDrops, IcmpCutOffOrWithAWrongChecksum) {
  const PacketBuilder ping = ip().echo_request(1, 2).payload("odd");
  EXPECT_EQ(reason_when_shortened(ping, 7), "icmp_short");
  EXPECT_EQ(reason_when_shortened(ping, 0), "icmp_short");
  const Frame good = ping.build();
  for (size_t bit = good.transport_offset() * 8; bit < good.size() * 8; ++bit) {
    Frame frame = good;
    frame.bytes[bit / 8] ^= static_cast<uint8_t>(1U << bit % 8);
    EXPECT_EQ(reason_of(frame), "icmp_checksum") << bit;
  }
}

TEST_P(TransportDrops, ErrorsWhoseQuotedPacketIsMalformedOrOfSomebodyElse) {
  const bool v4 = is_v4();
  const auto* vip = v4 ? "192.0.2.10" : "2001:db8::10";
  const auto* other = v4 ? "192.0.2.11" : "2001:db8::11";
  const auto* client = v4 ? "198.51.100.7" : "2001:db8:1::7";
  const uint8_t type = v4 ? kIcmpTimeExceeded : kIcmpv6TimeExceeded;
  const Frame answer = packet().ip(vip, client).tcp(80, 40000, kAck).build();
  const auto quoting = [&](const Frame& quoted, size_t bytes = SIZE_MAX) {
    return reason_of(ip().icmp_error(type, 0, quoted, {}, bytes));
  };
  const size_t needed = (v4 ? 20 : 40) + 8;
  EXPECT_EQ(quoting(answer), "none");
  for (size_t bytes = 0; bytes < needed; ++bytes) {
    EXPECT_EQ(quoting(answer, bytes), "icmp_inner") << bytes;
  }
  EXPECT_EQ(quoting(answer, needed), "none");
  EXPECT_EQ(quoting(packet().ip(other, client).tcp(80, 40000, kAck).build()), "icmp_inner");
  Frame broken = answer;
  broken.bytes[14] = v4 ? 0x65 : 0x40;
  EXPECT_EQ(
      reason_of(ip().icmp(type, 0).payload(Bytes(broken.bytes.begin() + 14, broken.bytes.end()))),
      "icmp_inner");
  const auto* group = v4 ? "224.0.0.1" : "ff02::1";
  EXPECT_EQ(reason_of(packet()
                          .ip(client, group)
                          .icmp_error(type, 0, packet().ip(group, client).udp(1, 2).build())),
            "icmp_inner");
}

TEST(ParserDrops, ErrorThatQuotesAHeaderLengthBelowTwenty) {
  Frame quoted = packet().ip("192.0.2.10", "198.51.100.7").tcp(80, 40000, kAck).build();
  Bytes inner = quoted.network_bytes();
  inner[0] = 0x44;
  EXPECT_EQ(reason_of(four().icmp(kIcmpTimeExceeded, 0).payload(inner)), "icmp_inner");
  inner[0] = 0x4f;  // 60 bytes of header and eight more are not there
  EXPECT_EQ(reason_of(four().icmp(kIcmpTimeExceeded, 0).payload(inner)), "icmp_inner");
}

TEST(ParserDrops, ErrorThatQuotesAMappedDestination) {
  Frame quoted = packet().ip("2001:db8::10", "2001:db8:1::7").tcp(80, 40000, kAck).build();
  quoted.ipv6()->destination = IpAddress::v4({198, 51, 100, 7}).bytes();
  EXPECT_EQ(reason_of(six().icmp_error(kIcmpv6TimeExceeded, 0, quoted)), "icmp_inner");
}

TEST(ParserDrops, ArpThatIsNotForIpv4OverEthernet) {
  const PacketBuilder request = packet().arp(kArpRequest, testing::kClientMac, "192.0.2.7",
                                             "00:00:00:00:00:00", "192.0.2.10");
  EXPECT_EQ(reason_of(request.build().truncated(14 + 27)), "arp_malformed");
  const std::function<void(ArpPacket&)> changes[] = {
      [](ArpPacket& arp) { arp.hardware_type = Big16::from_host(6); },
      [](ArpPacket& arp) { arp.protocol_type = kEtherTypeIpv6; },
      [](ArpPacket& arp) { arp.hardware_length = 8; },
      [](ArpPacket& arp) { arp.protocol_length = 16; },
  };
  for (const auto& change : changes) {
    EXPECT_EQ(reason_after(request, [&](Frame& f) { change(*f.arp()); }), "arp_malformed");
  }
}

}  // namespace
}  // namespace ballast
