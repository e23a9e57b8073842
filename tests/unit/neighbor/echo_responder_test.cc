#include "dataplane/neighbor/echo_responder.h"

#include <algorithm>

#include "tests/unit/rewrite/in_place.h"

namespace ballast::testing {
namespace {

constexpr std::string_view kClients[] = {"198.51.100.7", "2001:db8:1::7"};
constexpr std::string_view kVips[] = {"192.0.2.10", "2001:db8::10"};
constexpr uint8_t kReplies[] = {kIcmpEchoReply, kIcmpv6EchoReply};

std::optional<Frame> answer(const Frame& frame, DropReason expected = DropReason::kNone) {
  return in_place(frame, parsed(frame), 0, [&](FrameBuffer& room, const ParsedPacket& packet) {
    const DropReason reason = answer_echo(room, packet);
    EXPECT_EQ(reason, expected);
    return reason == DropReason::kNone;
  });
}

PacketBuilder reply(size_t family) {
  return packet()
      .ethernet(kBalancerMac, kClientMac)
      .ip(kVips[family], kClients[family])
      .icmp(kReplies[family], 0, echo_fields(77, 3));
}

TEST(EchoResponder, ReturnsTheMessageToItsSender) {
  for (size_t family = 0; family < 2; ++family) {
    for (const size_t length : {size_t{0}, size_t{1}, size_t{56}, size_t{1463}}) {
      const Bytes text(length, 'p');
      const Frame request = packet()
                                .ip(kClients[family], kVips[family])
                                .ttl(3)
                                .traffic_class(0x28)
                                .echo_request(77, 3)
                                .payload(text)
                                .pad_to(64)
                                .build();
      EXPECT_EQ(answer(request), reply(family).traffic_class(0x28).payload(text).build());
    }
  }
}

TEST(EchoResponder, KeepsEveryChecksumRightForAnyContent) {
  std::mt19937 random(1);
  for (int test = 0; test < 2000; ++test) {
    Bytes text(random() % 40);
    std::generate(text.begin(), text.end(),
                  [&] { return static_cast<uint8_t>(random() % 3 * 127); });
    const size_t family = random() % 2;
    const auto out =
        answer(packet()
                   .ip(kClients[family], kVips[family])
                   .ttl(static_cast<uint8_t>(1 + random() % 255))
                   .identification(static_cast<uint32_t>(random() % 65536))
                   .echo_request(static_cast<uint16_t>(random()), static_cast<uint16_t>(random()))
                   .payload(text)
                   .build());
    ASSERT_TRUE(out);
    ASSERT_NO_FATAL_FAILURE(expect_sendable(*out));
    ASSERT_EQ(out->payload(), text);
  }
}

TEST(EchoResponder, LeavesExtensionHeadersOut) {
  const Frame request = packet()
                            .ip(kClients[1], kVips[1])
                            .extension(IpProtocol::kDestinationOptions)
                            .echo_request(77, 3)
                            .payload("text")
                            .build();
  EXPECT_EQ(answer(request), reply(1).payload("text").build());
}

TEST(EchoResponder, ReturnsIpv4OptionsAndVlanTags) {
  const Bytes options{1, 1, 1, 1};
  const Frame request = packet()
                            .ip(kClients[0], kVips[0])
                            .vlan(0)
                            .ipv4_options(options)
                            .echo_request(77, 3)
                            .payload("text")
                            .build();
  EXPECT_EQ(answer(request), reply(0).vlan(0).ipv4_options(options).payload("text").build());
}

TEST(EchoResponder, RefusesFragmentsAndWhatIsNoEchoRequest) {
  for (size_t family = 0; family < 2; ++family) {
    const PacketBuilder from_client = packet().ip(kClients[family], kVips[family]);
    answer(PacketBuilder(from_client)
               .echo_request(1, 2)
               .payload("0123456789")
               .fragment(0, 16, true)
               .build(),
           DropReason::kFragmentLater);
    answer(PacketBuilder(from_client).icmp(kReplies[family], 0).build(), DropReason::kIcmpOther);
    answer(PacketBuilder(from_client).udp(7, 7).build(), DropReason::kIcmpOther);
  }
}

TEST(EchoResponder, RefusesWhatWasSentToMany) {
  answer(packet()
             .ethernet(kClientMac, "ff:ff:ff:ff:ff:ff")
             .ip(kClients[0], kVips[0])
             .echo_request(1, 1)
             .build(),
         DropReason::kDestinationAddress);
  answer(packet().ip(kClients[0], "224.0.0.1").echo_request(1, 1).build(),
         DropReason::kDestinationAddress);
  answer(packet().ip(kClients[1], "ff02::1").echo_request(1, 1).build(),
         DropReason::kDestinationAddress);
  answer(packet()
             .ethernet("ff:ff:ff:ff:ff:ff", kBalancerMac)
             .ip(kClients[0], kVips[0])
             .echo_request(1, 1)
             .build(),
         DropReason::kSourceAddress);
}

TEST(EchoResponder, RefusesAMessageThatDoesNotLieInOnePiece) {
  for (size_t family = 0; family < 2; ++family) {
    const Frame request =
        packet().ip(kClients[family], kVips[family]).echo_request(1, 1).payload("text").build();
    const ParsedPacket whole = parsed(request);
    EXPECT_FALSE(in_place(request.truncated(request.size() - 1), whole, 1,
                          [](FrameBuffer& room, const ParsedPacket& packet) {
                            return answer_echo(room, packet) != DropReason::kIcmpShort;
                          }));
  }
}

TEST(EchoResponder, IsSafeOnTruncatedAndRandomFrames) {
  expect_safe_on_anything(0, [](FrameBuffer& room, const ParsedPacket& packet) {
    return answer_echo(room, packet) == DropReason::kNone;
  });
}

}  // namespace
}  // namespace ballast::testing
