#include "dataplane/neighbor/nd_responder.h"

#include "tests/unit/rewrite/in_place.h"

namespace ballast::testing {
namespace {

constexpr std::string_view kVirtual = "00:00:5e:00:02:33";
constexpr std::string_view kVip = "2001:db8::10";
constexpr std::string_view kGroup = "ff02::1:ff00:10";
constexpr std::string_view kClient = "2001:db8:1::7";
constexpr std::string_view kGroupMac = "33:33:ff:00:00:10";
const MacAddress kVirtualMac = mac_address(kVirtual);

std::optional<Frame> answer(const Frame& frame, DropReason expected = DropReason::kNone,
                            NaFlags flags = {}, size_t tailroom = 8) {
  return in_place(
      frame, parsed(frame), tailroom, [&](FrameBuffer& room, const ParsedPacket& packet) {
        const DropReason reason = answer_neighbor_solicitation(room, packet, kVirtualMac, flags);
        EXPECT_EQ(reason, expected);
        return reason == DropReason::kNone;
      });
}

Frame advertisement(std::string_view mac, std::string_view destination, uint8_t flags) {
  return packet()
      .ethernet(kVirtual, mac)
      .ip(kVip, destination)
      .neighbor_advertisement(kVip, flags, kVirtual)
      .build();
}

PacketBuilder solicitation() {
  return packet().ethernet(kClientMac, kGroupMac).ip(kClient, kGroup);
}

TEST(NdResponder, AnswersASolicitation) {
  EXPECT_EQ(answer(solicitation().neighbor_solicitation(kVip, kClientMac).build()),
            advertisement(kClientMac, kClient, kNdFlagSolicited | kNdFlagOverride));
}

TEST(NdResponder, AnswersOneWithoutOptionsThoughTheAnswerIsLonger) {
  const Frame question = solicitation().neighbor_solicitation(kVip).build();
  EXPECT_EQ(answer(question),
            advertisement(kClientMac, kClient, kNdFlagSolicited | kNdFlagOverride));
  answer(question, DropReason::kNoBuffer, {}, 7);
}

TEST(NdResponder, AnswersWhereTheSolicitorSaysItIs) {
  const auto reply =
      answer(solicitation().neighbor_solicitation(kVip, "02:00:00:00:00:77").build());
  ASSERT_TRUE(reply);
  EXPECT_EQ(Frame(*reply).ethernet()->destination, mac_address("02:00:00:00:00:77"));
}

TEST(NdResponder, AnswersAProbeToAllNodes) {
  const Frame probe =
      packet().ethernet(kClientMac, kGroupMac).ip("::", kGroup).neighbor_solicitation(kVip).build();
  EXPECT_EQ(answer(probe), advertisement("33:33:00:00:00:01", "ff02::1", kNdFlagOverride));
}

TEST(NdResponder, SetsTheFlagsThatAreAskedFor) {
  const Frame question = solicitation().neighbor_solicitation(kVip, kClientMac).build();
  EXPECT_EQ(answer(question, DropReason::kNone, {.router = true, .overrides = false}),
            advertisement(kClientMac, kClient, kNdFlagSolicited | kNdFlagRouter));
}

TEST(NdResponder, LeavesExtensionHeadersOutAndVlanTagsIn) {
  const Frame question = solicitation()
                             .vlan(0)
                             .extension(IpProtocol::kDestinationOptions)
                             .neighbor_solicitation(kVip, kClientMac)
                             .build();
  const auto reply = answer(question);
  ASSERT_TRUE(reply);
  expect_sendable(*reply);
  EXPECT_EQ(parsed(*reply).vlan_tags, 1);
  EXPECT_EQ(parsed(*reply).transport_offset - parsed(*reply).network_offset, 40);
}

TEST(NdResponder, IgnoresAllOtherMessagesAndItself) {
  answer(
      packet().ip(kClient, kVip).neighbor_advertisement(kVip, kNdFlagOverride, kClientMac).build(),
      DropReason::kNdIgnored);
  answer(packet().ip(kClient, kVip).echo_request(1, 1).build(), DropReason::kNdIgnored);
  answer(packet()
             .ethernet(kVirtual, kGroupMac)
             .ip(kClient, kGroup)
             .neighbor_solicitation(kVip)
             .build(),
         DropReason::kNdIgnored);
}

TEST(NdResponder, RefusesSolicitorsThatAreNoHost) {
  for (const char* mac : {"33:33:00:00:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00"}) {
    answer(solicitation().neighbor_solicitation(kVip, mac).build(), DropReason::kNdMalformed);
  }
}

TEST(NdResponder, ReadsWhoIsAskedForAndWhoClaims) {
  Frame question = solicitation().neighbor_solicitation(kVip, kClientMac).build();
  EXPECT_EQ(solicited_target(question.view(), parsed(question)), ip_address(kVip));
  EXPECT_EQ(advertised_target(question.view(), parsed(question)), std::nullopt);
  Frame claim = packet()
                    .ip(kClient, "ff02::1")
                    .neighbor_advertisement(kVip, kNdFlagOverride, kClientMac)
                    .build();
  EXPECT_EQ(advertised_target(claim.view(), parsed(claim)), ip_address(kVip));
  EXPECT_EQ(solicited_target(claim.view(), parsed(claim)), std::nullopt);
}

TEST(NdResponder, KnowsTheMacOfAGroup) {
  EXPECT_EQ(multicast_mac(ip_address("ff02::1:ff12:3456")), mac_address("33:33:ff:12:34:56"));
  EXPECT_EQ(multicast_mac(ip_address("ff02::1")), mac_address("33:33:00:00:00:01"));
}

TEST(NdResponder, Announces) {
  const ExactBuffer buffer({}, 86);
  FrameBuffer room{buffer.data(), 0, 86};
  ASSERT_TRUE(
      build_unsolicited_advertisement(room, kVirtualMac, ip_address(kVip), {.router = true}));
  EXPECT_EQ(Frame{Bytes(room.data, room.data + room.length)},
            advertisement("33:33:00:00:00:01", "ff02::1", kNdFlagRouter | kNdFlagOverride));
  for (uint16_t capacity = 0; capacity < 86; ++capacity) {
    const ExactBuffer small({}, capacity);
    FrameBuffer too_small{small.data(), 0, capacity};
    EXPECT_FALSE(build_unsolicited_advertisement(too_small, kVirtualMac, ip_address(kVip), {}));
  }
}

TEST(NdResponder, IsSafeOnTruncatedAndRandomFrames) {
  for (const size_t tailroom : {size_t{0}, size_t{8}}) {
    expect_safe_on_anything(tailroom, [](FrameBuffer& room, const ParsedPacket& packet) {
      return answer_neighbor_solicitation(room, packet, kVirtualMac, {}) == DropReason::kNone;
    });
  }
}

}  // namespace
}  // namespace ballast::testing
