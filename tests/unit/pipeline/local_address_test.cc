// What the node answers itself for its VIPs, what it gives to the kernel, and what it lets pass by.
#include <gtest/gtest.h>

#include "dataplane/packet/wire.h"
#include "tests/unit/pipeline/test_network.h"

namespace ballast::testing {
namespace {

constexpr std::string_view kBroadcast = "ff:ff:ff:ff:ff:ff";
constexpr std::string_view kOtherMac = "02:00:00:00:00:99";

Frame who_has(std::string_view target, std::string_view frame_destination = kBroadcast,
              std::string_view sender = "198.51.100.7") {
  return packet()
      .ethernet(kClientMac, frame_destination)
      .arp(kArpRequest, kClientMac, sender, "00:00:00:00:00:00", target)
      .pad_to(60)
      .build();
}

Frame solicitation(std::string_view target, std::string_view source = "fe80::7") {
  const auto builder =
      packet().ethernet(kClientMac, "33:33:ff:00:00:10").ip(source, "ff02::1:ff00:10");
  return PacketBuilder(builder)
      .neighbor_solicitation(target, source == "::" ? std::string_view{} : kClientMac)
      .build();
}

class VipAnswers : public ::testing::Test {
 protected:
  TestNetwork network;
};

TEST_F(VipAnswers, ArpWithThePortsMac) {
  const Outcome outcome = network.send(who_has("192.0.2.10"));
  ASSERT_EQ(outcome.verdict, Verdict::kTransmit);
  EXPECT_EQ(outcome.out_port, kWan);
  Frame reply = outcome.frame;
  ASSERT_NE(reply.arp(), nullptr);
  EXPECT_EQ(reply.arp()->operation, kArpReply);
  EXPECT_EQ(reply.arp()->sender_mac, mac_address(kBalancerMac));
  EXPECT_EQ(reply.arp()->sender_address, ip_address("192.0.2.10").v4_bytes());
  EXPECT_EQ(reply.ethernet()->destination, mac_address(kClientMac));
}

TEST_F(VipAnswers, ArpOnEveryPortWithThatPortsMac) {
  Frame reply = network.send(who_has("192.0.2.10"), {.port = kLan}).frame;
  EXPECT_EQ(reply.arp()->sender_mac, mac_address(kLanMac));
}

TEST_F(VipAnswers, ArpProbesAndUnicastRequests) {
  EXPECT_EQ(network.send(who_has("192.0.2.10", kBroadcast, "0.0.0.0")).verdict, Verdict::kTransmit);
  EXPECT_EQ(network.send(who_has("192.0.2.10", kBalancerMac)).verdict, Verdict::kTransmit);
  EXPECT_EQ(network.send(who_has("192.0.2.20", kVirtualMac)).verdict, Verdict::kTransmit);
}

TEST_F(VipAnswers, NoArpRequestThatIsAddressedToAnotherMac) {
  const Outcome outcome = network.send(who_has("192.0.2.10", kOtherMac));
  EXPECT_EQ(outcome.verdict, Verdict::kDrop);
  EXPECT_EQ(outcome.reason, DropReason::kNotForUs);
}

TEST_F(VipAnswers, NoArpReplyAndNoAnnouncement) {
  const Frame announcement =
      packet()
          .ethernet(kClientMac, kBroadcast)
          .arp(kArpRequest, kClientMac, "192.0.2.10", "00:00:00:00:00:00", "192.0.2.10")
          .build();
  EXPECT_EQ(network.send(announcement).reason, DropReason::kArpIgnored);
}

TEST_F(VipAnswers, NeighborSolicitations) {
  const Outcome outcome = network.send(solicitation("2001:db8::10"));
  ASSERT_EQ(outcome.verdict, Verdict::kTransmit);
  Frame advertisement = outcome.frame;
  EXPECT_EQ(advertisement.wrong_checksum(), "");
  EXPECT_EQ(advertisement.icmp()->type, kIcmpv6NeighborAdvertisement);
  EXPECT_EQ(advertisement.ethernet()->destination, mac_address(kClientMac));
  EXPECT_EQ(advertisement.icmp()->rest[0], kNdFlagSolicited | kNdFlagOverride);
}

TEST_F(VipAnswers, DuplicateAddressDetectionToAllNodes) {
  const Outcome outcome = network.send(solicitation("2001:db8::10", "::"));
  ASSERT_EQ(outcome.verdict, Verdict::kTransmit);
  Frame advertisement = outcome.frame;
  EXPECT_EQ(advertisement.ethernet()->destination, mac_address("33:33:00:00:00:01"));
  EXPECT_EQ(advertisement.icmp()->rest[0], kNdFlagOverride);
}

TEST_F(VipAnswers, NoSolicitationThatIsAddressedToAnotherMac) {
  const Outcome outcome = network.send(packet()
                                           .ethernet(kClientMac, kOtherMac)
                                           .ip("fe80::7", "2001:db8::10")
                                           .neighbor_solicitation("2001:db8::10", kClientMac));
  EXPECT_EQ(outcome.reason, DropReason::kNotForUs);
}

class Vip : public InBothFamilies {
 protected:
  Frame question(const std::string& vip) const {
    return family.is_v4() ? who_has(vip) : solicitation(vip);
  }
  Frame ping(std::string_view destination, std::string_view mac = kBalancerMac) const {
    return packet()
        .ethernet(kClientMac, mac)
        .ip(family.client, destination)
        .echo_request(7, 1)
        .payload("ping")
        .build();
  }
  Frame syn(std::string_view destination, std::string_view mac = kBalancerMac,
            std::string_view source_mac = kClientMac) const {
    return packet()
        .ethernet(source_mac, mac)
        .ip(family.client, destination)
        .tcp(40000, 80, kSyn)
        .build();
  }
};
BALLAST_IN_BOTH_FAMILIES(Vip);

TEST_P(Vip, AnswersPing) {
  const Outcome outcome = network.send(ping(family.vip));
  ASSERT_EQ(outcome.verdict, Verdict::kTransmit);
  Frame reply = outcome.frame;
  EXPECT_EQ(reply.wrong_checksum(), "");
  EXPECT_EQ(reply.icmp()->type, family.is_v4() ? kIcmpEchoReply : kIcmpv6EchoReply);
  EXPECT_EQ(reply.payload(), Bytes({'p', 'i', 'n', 'g'}));
  EXPECT_EQ(reply.ethernet()->destination, mac_address(kClientMac));
  EXPECT_EQ(reply.ethernet()->source, mac_address(kBalancerMac));
}

TEST_P(Vip, AnswersNoPingWhenConfigured) {
  network.add_address({.address = ip_address(family.is_v4() ? "192.0.2.30" : "2001:db8::30"),
                       .answer_ping = false,
                       .virtual_mac = {}});
  const Outcome outcome = network.send(ping(family.is_v4() ? "192.0.2.30" : "2001:db8::30"));
  EXPECT_EQ(outcome.verdict, Verdict::kDrop);
  EXPECT_EQ(outcome.reason, DropReason::kIcmpOther);
}

TEST_P(Vip, IsSilentInAllWithoutItsLeaseAndBackWhenItIsRenewed) {
  const std::vector<Frame> all{question(family.leased_vip), ping(family.leased_vip),
                               syn(family.leased_vip), syn(family.leased_vip, kVirtualMac)};
  for (const Frame& frame : all) {
    EXPECT_EQ(network.send(frame).verdict, Verdict::kTransmit);
  }
  network.set_lease(network.now() + kSecond);
  network.pass(kSecond - 1);
  for (const Frame& frame : all) {
    EXPECT_EQ(network.send(frame).verdict, Verdict::kTransmit);
  }
  network.pass(1);  // the very end of the lease
  for (const Frame& frame : all) {
    const Outcome outcome = network.send(frame);
    EXPECT_EQ(outcome.verdict, Verdict::kDrop);
    EXPECT_EQ(outcome.reason, DropReason::kVipNotOwned);
  }
  EXPECT_NE(network.send(syn(family.vip)).server(), 0);  // a VIP without VRRP feels nothing
  network.set_lease(network.now() + kSecond);
  for (const Frame& frame : all) {
    EXPECT_EQ(network.send(frame).verdict, Verdict::kTransmit);
  }
}

TEST_P(Vip, IsForwardedAndNotAnsweredForUnderALeaseThatOnlyForwards) {
  const std::vector<Frame> questions{question(family.leased_vip), ping(family.leased_vip),
                                     ping(family.leased_vip, kVirtualMac)};
  const uint64_t later = network.now() + 10 * kSecond;
  for (const uint64_t answer_until : {uint64_t{0}, network.now() - 1, network.now()}) {
    network.set_lease(later, answer_until);
    for (const Frame& frame : questions) {
      const Outcome outcome = network.send(frame);
      EXPECT_EQ(outcome.verdict, Verdict::kDrop);
      EXPECT_EQ(outcome.reason, DropReason::kVipNotOwned);
    }
    EXPECT_NE(network.send(syn(family.leased_vip)).server(), 0);
    EXPECT_NE(network.send(syn(family.leased_vip, kVirtualMac)).server(), 0);
  }
  for (const Frame& frame : {question(family.vip), ping(family.vip)}) {
    EXPECT_EQ(network.send(frame).verdict, Verdict::kTransmit) << "without VRRP it feels nothing";
  }
  network.set_lease(later, later);
  for (const Frame& frame : questions) {
    EXPECT_EQ(network.send(frame).verdict, Verdict::kTransmit);
  }
}

TEST_P(Vip, IsNeitherForwardedNorAnsweredForOnceForwardingEndsWhateverTheAnswerWordSays) {
  network.set_lease(0, kLeaseNeverEnds);
  for (const Frame& frame :
       {question(family.leased_vip), ping(family.leased_vip), ping(family.leased_vip, kVirtualMac),
        syn(family.leased_vip), syn(family.leased_vip, kVirtualMac)}) {
    const Outcome outcome = network.send(frame);
    EXPECT_EQ(outcome.verdict, Verdict::kDrop);
    EXPECT_EQ(outcome.reason, DropReason::kVipNotOwned);
  }
  EXPECT_NE(network.send(syn(family.vip)).server(), 0);
}

TEST_P(Vip, RefusesWithThePortsMacWhereAnotherNodeMayBeAboutToTakeTheVirtualOne) {
  const Frame closed = packet()
                           .ethernet(kClientMac, kVirtualMac)
                           .ip(family.client, family.leased_vip)
                           .tcp(40000, 81, kSyn)
                           .build();
  for (const bool answers : {true, false}) {
    network.set_lease(kLeaseNeverEnds, answers ? kLeaseNeverEnds : 0);
    Outcome reset = network.send(closed);
    EXPECT_EQ(reset.verdict, Verdict::kTransmit);
    EXPECT_EQ(reset.frame.ethernet()->source, mac_address(answers ? kVirtualMac : kBalancerMac));
  }
}

TEST_P(Vip, LeavesFramesToOtherMacsAlone) {
  EXPECT_EQ(network.send(syn(family.vip, kOtherMac)).reason, DropReason::kNotForUs);
  EXPECT_EQ(network.send(syn(family.vip, kVirtualMac)).reason, DropReason::kNotForUs);
  EXPECT_EQ(network.send(syn(family.vip, "00:00:00:00:00:00")).reason, DropReason::kNotForUs);
  EXPECT_EQ(network.send(ping(family.vip, kOtherMac)).reason, DropReason::kNotForUs);
}

TEST_P(Vip, LeavesFramesFromThePortItselfAlone) {
  EXPECT_EQ(network.send(syn(family.vip, kBalancerMac, kBalancerMac)).reason,
            DropReason::kSourceMacOurs);
}

TEST_P(Vip, LeavesMulticastAndBroadcastFramesAlone) {
  EXPECT_EQ(network.send(syn(family.vip, kBroadcast)).reason, DropReason::kNotForUs);
  EXPECT_EQ(network.send(ping(family.vip, "01:00:5e:00:00:01")).reason, DropReason::kNotForUs);
}

TEST_P(Vip, LeavesOtherVlansAlone) {
  EXPECT_EQ(network.send(from_client().vlan(7).tcp(1, 80, kSyn)).reason,
            DropReason::kVlanUnexpected);
  // A priority tag in front of it hides nothing.
  EXPECT_EQ(network.send(from_client().vlan(0, true).vlan(7).tcp(1, 80, kSyn)).reason,
            DropReason::kVlanUnexpected);
}

// ---- the kernel's

TEST_P(Vip, IsNotTheNodesOwnAddressWhichTheKernelHas) {
  for (const Frame& frame : {syn(family.node), ping(family.node)}) {
    const Outcome outcome = network.send(frame);
    EXPECT_EQ(outcome.verdict, Verdict::kKernel);
    EXPECT_EQ(outcome.frame, frame);
  }
  EXPECT_EQ(network.send(syn(family.node, kOtherMac)).reason, DropReason::kNotForUs);
  EXPECT_EQ(network.send(question(family.node)).verdict, Verdict::kKernel);
}

TEST_P(Vip, IsNotTransitWhichIsDropped) {
  const std::string_view elsewhere = family.is_v4() ? "203.0.113.99" : "2001:db8:f::99";
  EXPECT_EQ(network.send(syn(elsewhere)).reason, DropReason::kTransit);
}

TEST_P(Vip, IsNotKnownBeforeTheFirstTransactionSoThatAllIsTheKernels) {
  network.snapshot.generation = 0;
  network.snapshot.addresses = std::make_shared<const AddressTable>();
  network.snapshot.listeners = std::make_shared<const ServiceTable>();
  for (const Frame& frame : {syn(family.vip), ping(family.node), question(family.vip)}) {
    EXPECT_EQ(network.send(frame).verdict, Verdict::kKernel);
  }
  EXPECT_EQ(network.send(syn(family.vip, kOtherMac)).reason, DropReason::kNotForUs);
}

TEST_F(VipAnswers, LeaveOtherMulticastToTheKernel) {
  const Frame advert = packet()
                           .ethernet(kVirtualMac, "01:00:5e:00:00:12")
                           .ip("203.0.113.1", "224.0.0.18")
                           .ttl(255)
                           .protocol(IpProtocol::kVrrp)
                           .payload(Bytes(12))
                           .build();
  EXPECT_EQ(network.send(advert).verdict, Verdict::kKernel);
  const auto lldp = packet().ethernet(kClientMac, "01:80:c2:00:00:0e").ether_type(0x88cc);
  EXPECT_EQ(network.send(lldp).verdict, Verdict::kKernel);
  EXPECT_EQ(network.send(packet().ether_type(0x88cc)).reason, DropReason::kEtherTypeUnknown);
}

}  // namespace
}  // namespace ballast::testing
