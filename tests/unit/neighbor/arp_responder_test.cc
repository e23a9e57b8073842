#include "dataplane/neighbor/arp_responder.h"

#include "tests/unit/rewrite/in_place.h"

namespace ballast::testing {
namespace {

constexpr std::string_view kVirtual = "00:00:5e:00:01:33";
constexpr std::string_view kNobody = "00:00:00:00:00:00";
constexpr std::string_view kBroadcast = "ff:ff:ff:ff:ff:ff";
const MacAddress kVirtualMac = mac_address(kVirtual);

PacketBuilder request_from(std::string_view address) {
  return packet()
      .ethernet(kClientMac, kBroadcast)
      .arp(kArpRequest, kClientMac, address, kNobody, "192.0.2.10");
}

std::optional<Frame> answer(const Frame& frame, DropReason expected = DropReason::kNone) {
  return in_place(frame, parsed(frame), 0, [&](FrameBuffer& room, const ParsedPacket& packet) {
    const DropReason reason = answer_arp(room, packet, kVirtualMac);
    EXPECT_EQ(reason, expected);
    return reason == DropReason::kNone;
  });
}

TEST(ArpResponder, AnswersARequest) {
  const Frame reply = packet()
                          .ethernet(kVirtual, kClientMac)
                          .arp(kArpReply, kVirtual, "192.0.2.10", kClientMac, "192.0.2.1")
                          .build();
  EXPECT_EQ(answer(request_from("192.0.2.1").build()), reply);
  EXPECT_EQ(answer(request_from("192.0.2.1").pad_to(60).build()), reply) << "padding is left out";
}

TEST(ArpResponder, AnswersAProbe) {
  EXPECT_EQ(answer(request_from("0.0.0.0").build()),
            packet()
                .ethernet(kVirtual, kClientMac)
                .arp(kArpReply, kVirtual, "192.0.2.10", kClientMac, "0.0.0.0")
                .build());
}

TEST(ArpResponder, KeepsAPriorityTag) {
  const auto reply = answer(request_from("192.0.2.1").vlan(0).build());
  ASSERT_TRUE(reply);
  EXPECT_EQ(parsed(*reply).vlan_tags, 1);
  EXPECT_EQ(parsed(*reply).kind, PacketKind::kArp);
}

TEST(ArpResponder, IgnoresRepliesAnnouncementsAndItself) {
  const PacketBuilder frame = packet().ethernet(kClientMac, kBroadcast);
  answer(
      PacketBuilder(frame).arp(kArpReply, kClientMac, "192.0.2.1", kVirtual, "192.0.2.10").build(),
      DropReason::kArpIgnored);
  answer(PacketBuilder(frame)
             .arp(kArpRequest, kClientMac, "192.0.2.10", kNobody, "192.0.2.10")
             .build(),
         DropReason::kArpIgnored);
  answer(PacketBuilder(frame)
             .arp(Big16::from_host(3), kClientMac, "192.0.2.1", kNobody, "192.0.2.10")
             .build(),
         DropReason::kArpIgnored);
  answer(
      PacketBuilder(frame).arp(kArpRequest, kVirtual, "192.0.2.1", kNobody, "192.0.2.10").build(),
      DropReason::kArpIgnored);
}

TEST(ArpResponder, RefusesSendersThatAreNoHost) {
  for (const char* address : {"224.0.0.1", "255.255.255.255", "127.0.0.1"}) {
    answer(request_from(address).build(), DropReason::kArpMalformed);
  }
  for (const std::string_view mac : {kBroadcast, kNobody, std::string_view("01:00:5e:00:00:01")}) {
    answer(packet()
               .ethernet(kClientMac, kBroadcast)
               .arp(kArpRequest, mac, "192.0.2.1", kNobody, "192.0.2.10")
               .build(),
           DropReason::kArpMalformed);
  }
}

TEST(ArpResponder, ReadsWhoAsksAndWhoClaims) {
  Frame probe = request_from("0.0.0.0").build();
  const ArpTarget asked = read_arp(probe.view(), parsed(probe));
  EXPECT_TRUE(asked.request);
  EXPECT_EQ(asked.target, ip_address("192.0.2.10"));
  EXPECT_EQ(asked.sender_mac, mac_address(kClientMac));
  EXPECT_FALSE(asked.claims(ip_address("192.0.2.10")));
  Frame claim = packet().arp(kArpReply, kClientMac, "192.0.2.10", kBroadcast, "192.0.2.10").build();
  const ArpTarget claimed = read_arp(claim.view(), parsed(claim));
  EXPECT_FALSE(claimed.request);
  EXPECT_TRUE(claimed.claims(ip_address("192.0.2.10")));
}

TEST(ArpResponder, AnnouncesInBothForms) {
  for (const auto form : {GratuitousArp::kRequest, GratuitousArp::kReply}) {
    const ExactBuffer buffer({}, 42);
    FrameBuffer room{buffer.data(), 0, 42};
    ASSERT_TRUE(build_gratuitous_arp(room, kVirtualMac, ip_address("192.0.2.10"), form));
    const bool request = form == GratuitousArp::kRequest;
    EXPECT_EQ(Frame{Bytes(room.data, room.data + room.length)},
              packet()
                  .ethernet(kVirtual, kBroadcast)
                  .arp(request ? kArpRequest : kArpReply, kVirtual, "192.0.2.10",
                       request ? kNobody : kVirtual, "192.0.2.10")
                  .build());
    for (uint16_t capacity = 0; capacity < 42; ++capacity) {
      const ExactBuffer small({}, capacity);
      FrameBuffer too_small{small.data(), 0, capacity};
      EXPECT_FALSE(build_gratuitous_arp(too_small, kVirtualMac, ip_address("192.0.2.10"), form));
    }
  }
}

TEST(ArpResponder, IsSafeOnTruncatedAndRandomFrames) {
  expect_safe_on_anything(0, [](FrameBuffer& room, const ParsedPacket& packet) {
    return answer_arp(room, packet, kVirtualMac) == DropReason::kNone;
  });
}

}  // namespace
}  // namespace ballast::testing
