#include "dataplane/rewrite/tcp_reset.h"

#include "tests/unit/rewrite/in_place.h"

namespace ballast::testing {
namespace {

const MacAddress kVirtualMac = mac_address("00:00:5e:00:01:33");
constexpr std::string_view kClients[] = {"198.51.100.7", "2001:db8:1::7"};
constexpr std::string_view kVips[] = {"192.0.2.10", "2001:db8::10"};

std::optional<Frame> reset_of(const Frame& frame) {
  return in_place(frame, parsed(frame), 0, [](FrameBuffer& room, const ParsedPacket& packet) {
    return build_tcp_reset(room, packet, kVirtualMac);
  });
}

// The reset as the client must see it, built by the test's own builder.
Frame expected(size_t family, uint8_t flags, uint32_t sequence, uint32_t acknowledgment) {
  PacketBuilder builder = packet()
                              .ethernet(kVirtualMac.to_string(), kClientMac)
                              .ip(kVips[family], kClients[family])
                              .identification(0)
                              .tcp(80, 40000, flags)
                              .sequence(sequence, acknowledgment);
  if (family == 0) {
    builder.dont_fragment();
  }
  Frame frame = builder.build();
  frame.tcp()->window = Big16{};
  frame.fix_checksums();
  return frame;
}

TEST(TcpReset, AcknowledgesASynWithoutAck) {
  for (size_t i = 0; i < 2; ++i) {
    const Frame syn = packet()
                          .ip(kClients[i], kVips[i])
                          .tcp(40000, 80, kSyn)
                          .sequence(1000)
                          .tcp_options({2, 4, 5, 0xb4})
                          .build();
    const auto reset = reset_of(syn);
    ASSERT_TRUE(reset);
    EXPECT_EQ(*reset, expected(i, kRst | kAck, 0, 1001));
    expect_sendable(*reset);
  }
}

TEST(TcpReset, TakesItsNumberFromASegmentWithAck) {
  for (size_t i = 0; i < 2; ++i) {
    const Frame data = packet()
                           .ip(kClients[i], kVips[i])
                           .tcp(40000, 80, kAck | kPsh)
                           .sequence(7, 0xfffffff0)
                           .payload("GET /")
                           .build();
    const auto reset = reset_of(data);
    ASSERT_TRUE(reset);
    EXPECT_EQ(*reset, expected(i, kRst, 0xfffffff0, 0));
  }
}

TEST(TcpReset, CountsPayloadSynAndFinAcrossTheEndOfTheNumbers) {
  for (size_t i = 0; i < 2; ++i) {
    const PacketBuilder from_client = packet().ip(kClients[i], kVips[i]);
    EXPECT_EQ(reset_of(PacketBuilder(from_client)
                           .tcp(40000, 80, kFin)
                           .sequence(0xffffffff)
                           .payload("12345")
                           .build()),
              expected(i, kRst | kAck, 0, 5));
    EXPECT_EQ(
        reset_of(
            PacketBuilder(from_client).tcp(40000, 80, kSyn).sequence(10).payload("123").build()),
        expected(i, kRst | kAck, 0, 14));
    EXPECT_EQ(
        reset_of(
            PacketBuilder(from_client).tcp(40000, 80, kPsh).sequence(10).payload("123").build()),
        expected(i, kRst | kAck, 0, 13));
  }
}

TEST(TcpReset, LeavesOutIpOptionsExtensionHeadersAndPadding) {
  const Frame options = packet()
                            .ip(kClients[0], kVips[0])
                            .ipv4_options({1, 1, 1, 1, 148, 4, 0, 0})
                            .tcp(40000, 80, kSyn)
                            .build();
  EXPECT_EQ(reset_of(options), expected(0, kRst | kAck, 0, 1001));
  const Frame padded = packet().ip(kClients[0], kVips[0]).tcp(40000, 80, kSyn).pad_to(64).build();
  EXPECT_EQ(reset_of(padded), expected(0, kRst | kAck, 0, 1001));
  const Frame extensions = packet()
                               .ip(kClients[1], kVips[1])
                               .extension(IpProtocol::kHopByHop)
                               .extension(IpProtocol::kDestinationOptions)
                               .tcp(40000, 80, kSyn)
                               .build();
  EXPECT_EQ(reset_of(extensions), expected(1, kRst | kAck, 0, 1001));
}

TEST(TcpReset, KeepsVlanTags) {
  for (size_t i = 0; i < 2; ++i) {
    const Frame syn =
        packet().ip(kClients[i], kVips[i]).vlan(100, true).vlan(7).tcp(40000, 80, kSyn).build();
    const auto reset = reset_of(syn);
    ASSERT_TRUE(reset);
    expect_sendable(*reset);
    EXPECT_EQ(parsed(*reset).vlan_tags, 2);
    EXPECT_EQ(parsed(*reset).vlan_id, 100);
    EXPECT_EQ(Bytes(reset->bytes.begin() + 12, reset->bytes.begin() + 22),
              Bytes(syn.bytes.begin() + 12, syn.bytes.begin() + 22));
  }
}

TEST(TcpReset, RefusesResetsFragmentsAndWhatIsNotTcp) {
  for (size_t i = 0; i < 2; ++i) {
    const PacketBuilder from_client = packet().ip(kClients[i], kVips[i]);
    EXPECT_FALSE(reset_of(PacketBuilder(from_client).tcp(40000, 80, kRst).build()));
    EXPECT_FALSE(reset_of(PacketBuilder(from_client).tcp(40000, 80, kRst | kAck).build()));
    EXPECT_FALSE(reset_of(PacketBuilder(from_client).udp(40000, 80).build()));
    EXPECT_FALSE(reset_of(PacketBuilder(from_client)
                              .tcp(40000, 80, kSyn)
                              .payload("0123456789")
                              .fragment(0, 24, true)
                              .build()));
  }
}

TEST(TcpReset, IsSafeOnTruncatedAndRandomFrames) {
  for (const size_t tailroom : {size_t{0}, size_t{64}}) {
    expect_safe_on_anything(tailroom, [](FrameBuffer& room, const ParsedPacket& packet) {
      return build_tcp_reset(room, packet, kVirtualMac);
    });
  }
}

}  // namespace
}  // namespace ballast::testing
