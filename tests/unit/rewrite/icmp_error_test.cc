#include "dataplane/rewrite/icmp_error.h"

#include <algorithm>

#include "tests/unit/rewrite/in_place.h"

namespace ballast::testing {
namespace {

const MacAddress kVirtualMac = mac_address("00:00:5e:00:01:33");
constexpr std::string_view kClients[] = {"198.51.100.7", "2001:db8:1::7"};
constexpr std::string_view kVips[] = {"192.0.2.10", "2001:db8::10"};

std::optional<Frame> error_about(const Frame& frame, IcmpErrorKind kind, size_t tailroom = 128,
                                 uint16_t mtu = 0) {
  const ParsedPacket about = parsed(frame);
  const IpAddress source = ip_address(kVips[about.family == Family::kIpv4 ? 0 : 1]);
  return in_place(frame, about, tailroom, [&](FrameBuffer& room, const ParsedPacket& packet) {
    return build_icmp_error(room, packet, kind, source, kVirtualMac, mtu);
  });
}

Frame datagram(size_t family, size_t payload) {
  return packet()
      .ip(kClients[family], kVips[family])
      .udp(40000, 53)
      .payload(Bytes(payload, 'x'))
      .build();
}

// The error as it must be, built by the test's own builder.
Frame expected(const Frame& about, size_t family, uint8_t type, uint8_t code,
               std::array<uint8_t, 4> rest, size_t quoted) {
  PacketBuilder builder = packet()
                              .ethernet(kVirtualMac.to_string(), kClientMac)
                              .ip(kVips[family], kClients[family])
                              .identification(0)
                              .traffic_class(0xc0)
                              .icmp_error(type, code, about, rest, quoted);
  if (family == 0) {
    builder.dont_fragment();
  }
  return builder.build();
}

TEST(IcmpError, SaysWhatIsWrongInBothFamilies) {
  struct Case {
    IcmpErrorKind kind;
    std::array<uint8_t, 2> v4, v6;
  };
  for (const Case& test : {Case{IcmpErrorKind::kPortUnreachable, {3, 3}, {1, 4}},
                           Case{IcmpErrorKind::kHostUnreachable, {3, 1}, {1, 3}},
                           Case{IcmpErrorKind::kTimeExceeded, {11, 0}, {3, 0}}}) {
    EXPECT_EQ(error_about(datagram(0, 30), test.kind),
              expected(datagram(0, 30), 0, test.v4[0], test.v4[1], {}, SIZE_MAX));
    EXPECT_EQ(error_about(datagram(1, 31), test.kind),
              expected(datagram(1, 31), 1, test.v6[0], test.v6[1], {}, SIZE_MAX));
  }
}

TEST(IcmpError, CarriesTheMtu) {
  EXPECT_EQ(error_about(datagram(0, 30), IcmpErrorKind::kTooBig, 128, 1480),
            expected(datagram(0, 30), 0, 3, 4, mtu(1480), SIZE_MAX));
  EXPECT_EQ(error_about(datagram(1, 30), IcmpErrorKind::kTooBig, 128, 9000),
            expected(datagram(1, 30), 1, 2, 0, mtu_v6(9000), SIZE_MAX));
}

TEST(IcmpError, QuotesNoMoreThanTheLongestError) {
  for (const size_t payload : {size_t{1000}, size_t{1400}}) {
    EXPECT_EQ(error_about(datagram(0, payload), IcmpErrorKind::kPortUnreachable),
              expected(datagram(0, payload), 0, 3, 3, {}, 576 - 28));
    EXPECT_EQ(
        error_about(datagram(0, payload), IcmpErrorKind::kPortUnreachable)->network_bytes().size(),
        576U);
  }
  EXPECT_EQ(error_about(datagram(1, 1400), IcmpErrorKind::kPortUnreachable)->network_bytes().size(),
            1280U);
}

TEST(IcmpError, QuotesLessWhereThereIsLittleRoom) {
  for (size_t family = 0; family < 2; ++family) {
    const size_t headers = family == 0 ? 28 : 48;
    const Frame about = datagram(family, 100);
    for (size_t tailroom = 0; tailroom <= headers + 5; ++tailroom) {
      const auto error = error_about(about, IcmpErrorKind::kPortUnreachable, tailroom);
      ASSERT_TRUE(error);
      expect_sendable(*error);
      EXPECT_EQ(error->size(), about.size() + std::min(tailroom, headers));
    }
  }
}

TEST(IcmpError, RefusesWhenTheLeastQuoteDoesNotFit) {
  for (size_t family = 0; family < 2; ++family) {
    const size_t headers = family == 0 ? 28 : 48;
    const Frame about = datagram(family, 0);  // the header and eight bytes: all of it is the least
    EXPECT_FALSE(error_about(about, IcmpErrorKind::kPortUnreachable, headers - 1));
    EXPECT_TRUE(error_about(about, IcmpErrorKind::kPortUnreachable, headers));
  }
}

TEST(IcmpError, LeavesPaddingOutAndVlanTagsIn) {
  const Frame padded = packet().ip(kClients[0], kVips[0]).udp(40000, 53).pad_to(60).build();
  EXPECT_EQ(error_about(padded, IcmpErrorKind::kPortUnreachable),
            expected(padded, 0, 3, 3, {}, SIZE_MAX));
  for (size_t family = 0; family < 2; ++family) {
    const Frame tagged =
        packet().ip(kClients[family], kVips[family]).vlan(7).udp(40000, 53).build();
    const auto error = error_about(tagged, IcmpErrorKind::kPortUnreachable);
    ASSERT_TRUE(error);
    expect_sendable(*error);
    EXPECT_EQ(parsed(*error).vlan_id, 7);
  }
}

TEST(IcmpError, IsUnderstoodByItsReceiver) {
  for (size_t family = 0; family < 2; ++family) {
    const Frame syn = packet().ip(kClients[family], kVips[family]).tcp(40000, 80, kSyn).build();
    const auto error = error_about(syn, IcmpErrorKind::kHostUnreachable);
    ASSERT_TRUE(error);
    const ParsedPacket seen = parsed(*error);
    EXPECT_EQ(seen.kind, PacketKind::kIcmpError);
    EXPECT_EQ(seen.inner.source, ip_address(kClients[family]));
    EXPECT_EQ(seen.inner.destination, ip_address(kVips[family]));
    EXPECT_EQ(seen.inner.destination_port.to_host(), 80);
    EXPECT_TRUE(seen.inner.has_ports);
  }
}

TEST(IcmpError, RefusesASourceOfTheOtherFamilyAndWhatIsNotIp) {
  const Frame about = datagram(0, 10);
  const auto from_v6 = [](FrameBuffer& room, const ParsedPacket& packet) {
    return build_icmp_error(room, packet, IcmpErrorKind::kPortUnreachable, ip_address(kVips[1]),
                            kVirtualMac);
  };
  EXPECT_FALSE(in_place(about, parsed(about), 128, from_v6));
  const Frame arp =
      packet()
          .arp(kArpRequest, kClientMac, "192.0.2.1", "00:00:00:00:00:00", "192.0.2.10")
          .pad_to(200)
          .build();
  EXPECT_FALSE(error_about(arp, IcmpErrorKind::kPortUnreachable));
}

TEST(IcmpError, IsSafeOnTruncatedAndRandomFrames) {
  for (const size_t tailroom : {size_t{0}, size_t{20}, size_t{128}}) {
    expect_safe_on_anything(tailroom, [](FrameBuffer& room, const ParsedPacket& packet) {
      const IpAddress source = ip_address(kVips[packet.family == Family::kIpv4 ? 0 : 1]);
      if (packet.source == source || packet.source.is_unspecified() ||
          packet.source.is_multicast()) {
        return false;  // answer_policy.h
      }
      if (packet.network_offset + packet.network_length < packet.transport_offset + 8) {
        return false;  // is quoted whole, but our own parser asks for eight bytes
      }
      return build_icmp_error(room, packet, IcmpErrorKind::kTooBig, source, kVirtualMac, 1400);
    });
  }
}

}  // namespace
}  // namespace ballast::testing
