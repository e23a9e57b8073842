// Gateways and local addresses: answered for while they are held, and nothing listens there.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/unit/pipeline/notes.h"
#include "tests/unit/pipeline/test_modes.h"

namespace ballast::testing {
namespace {

// An address of a role, without VRRP and of lease slot 1, and who answers for it.
class Roles : public InBothFamilies {
 protected:
  struct Role {
    std::string address;
    bool leased;
    std::string mac;  // as note() has it, on the lan port
  };
  [[nodiscard]] std::vector<Role> roles() const {
    return {{family.gateway, false, "lan"},
            {family.leased_gateway, true, "virtual-gateway"},
            {family.locals[0], false, "lan"},
            {family.locals[2], true, "lan"}};
  }
  Outcome from_server(const PacketBuilder& packet) {
    return modes.send(packet.build(), {.port = kLan});
  }
  [[nodiscard]] PacketBuilder to(const Role& role, std::string_view mac = kLanMac) const {
    return packet().ethernet(mac_of_server(1), mac).ip(family.server_prefix + "1", role.address);
  }
  [[nodiscard]] std::string_view mac_for(const Role& role) const {
    return role.mac == "lan" ? kLanMac : kVirtualGatewayMac;
  }
  // Who has it?
  Outcome ask_for(const Role& role) {
    const std::string sender = family.server_prefix + "1";
    if (family.is_v4()) {
      return from_server(
          packet()
              .ethernet(mac_of_server(1), "ff:ff:ff:ff:ff:ff")
              .arp(kArpRequest, mac_of_server(1), sender, "00:00:00:00:00:00", role.address));
    }
    const IpAddress::V6Bytes bytes = ip_address(role.address).bytes();
    const std::string group =
        fmt::format("ff02::1:ff{:02x}:{:02x}{:02x}", bytes[13], bytes[14], bytes[15]);
    return from_server(packet()
                           .ethernet(mac_of_server(1), fmt::format("33:33:ff:{:02x}:{:02x}:{:02x}",
                                                                   bytes[13], bytes[14], bytes[15]))
                           .ip(sender, group)
                           .neighbor_solicitation(role.address, mac_of_server(1)));
  }
  static std::string answered_mac(const Outcome& outcome) {
    Frame frame = outcome.frame;
    return name_of(frame.ethernet()->source);
  }
  TestNetwork modes{all_modes()};
};
BALLAST_IN_BOTH_FAMILIES(Roles);
class RolesInNd : public Roles {};
INSTANTIATE_TEST_SUITE_P(Families, RolesInNd, ::testing::Values(both_families().back()),
                         [](const auto& instance) { return instance.param.name; });

TEST_P(Roles, AreAnsweredForByArpAndNdWhileTheyAreHeld) {
  for (const Role& role : roles()) {
    modes.set_lease(kLeaseNeverEnds);
    const Outcome answer = ask_for(role);
    ASSERT_EQ(answer.verdict, Verdict::kTransmit) << role.address;
    EXPECT_EQ(answered_mac(answer), role.mac) << role.address;
    Frame frame = answer.frame;
    if (family.is_v4()) {
      EXPECT_EQ(name_of(frame.arp()->sender_mac), role.mac);
    } else {
      EXPECT_EQ(frame.wrong_checksum(), "");
    }
    modes.set_lease(0);
    EXPECT_EQ(ask_for(role).verdict, role.leased ? Verdict::kDrop : Verdict::kTransmit);
    if (role.leased) {
      EXPECT_EQ(ask_for(role).reason, DropReason::kVipNotOwned);
    }
  }
}

TEST_P(Roles, AreNotAnsweredForOnceTheAnswerEnds) {
  modes.set_lease(modes.now() + kSecond, 0);
  for (const Role& role : roles()) {
    EXPECT_EQ(ask_for(role).verdict, role.leased ? Verdict::kDrop : Verdict::kTransmit);
  }
}

// A gateway is a router, whose neighbours drop it from their routers otherwise (RFC 4861 section
// 7.2.5).
TEST_P(RolesInNd, OfGatewaysAreRouters) {
  for (const Role& role : roles()) {
    Frame frame = ask_for(role).frame;
    ASSERT_NE(frame.icmp(), nullptr);
    const bool router = (frame.icmp()->rest[0] & 0x80) != 0;
    EXPECT_EQ(router, role.address != family.locals[0]) << role.address;
  }
}

TEST_P(Roles, ArePingedWhileTheyAreHeld) {
  for (const Role& role : roles()) {
    modes.set_lease(kLeaseNeverEnds);
    for (const std::string_view mac : {kLanMac, mac_for(role)}) {
      EXPECT_EQ(note(from_server(to(role, mac).echo_request(1, 2).payload("ping"))),
                fmt::format("lan, {} > server1: {} > server1 icmp echo-reply ttl 64",
                            name_of(mac_address(mac)), name_of(ip_address(role.address))));
    }
    modes.set_lease(0);
    if (role.leased) {
      EXPECT_EQ(from_server(to(role).echo_request(1, 2)).reason, DropReason::kVipNotOwned);
    }
  }
}

TEST_P(Roles, HaveNothingThatListens) {
  for (const Role& role : roles()) {
    const bool local = role.address == family.locals[0] || role.address == family.locals[2];
    EXPECT_EQ(note(from_server(to(role).tcp(5000, 80, kSyn))),
              fmt::format("answered {}: lan, {} > server1: {} > server1:5000 tcp R. ttl 64",
                          local ? "reply_unmatched" : "no_service", role.mac,
                          name_of(ip_address(role.address)) + ":80"));
    const Outcome datagram = from_server(to(role).udp(5000, 53));
    EXPECT_EQ(datagram.reason, local ? DropReason::kReplyUnmatched : DropReason::kNoService);
    EXPECT_EQ(datagram.verdict, local ? Verdict::kDrop : Verdict::kTransmit);
  }
  EXPECT_EQ(modes.connections().size(), 0U);
}

// Servers reach a local address by their default route: with the MAC of the gateway.
TEST_P(Roles, OfLocalAddressesAreReachedThroughAGateway) {
  Talk talk(modes, family, "full-web");
  talk.establish();
  EXPECT_EQ(
      note(talk.answer(talk.reply().ethernet(mac_of_server(talk.server()), kVirtualGatewayMac))),
      "wan, wan > client: vip:7000 > client:40000 tcp . ttl 63");
}

TEST_P(Roles, OfLocalAddressesTakeRepliesOnlyWhileTheyAreHeld) {
  for (const char* name : {"full-web", "full-dns"}) {
    modes.set_lease(kLeaseNeverEnds);
    (family.is_v4() ? modes.service(name).local_ipv4 : modes.service(name).local_ipv6) = {
        LocalAddressIndex{static_cast<uint16_t>(family.is_v4() ? 2 : 5)}};
    Talk talk(modes, family, name);
    talk.establish();
    EXPECT_EQ(name_of(talk.peer()), "local3");
    EXPECT_EQ(talk.answer().verdict, Verdict::kTransmit);
    modes.set_lease(0);
    EXPECT_EQ(note(talk.answer()), "dropped: vip_not_owned");
  }
}

// Its connections go on while they last, by whatever address they have.
TEST_P(Roles, OfALocalAddressThatIsRemovedFromTheConfigurationEndItsReplies) {
  Talk talk(modes, family, "full-web");
  talk.establish();
  modes.change_address({.address = talk.peer(), .role = AddressRole::kNode, .virtual_mac = {}});
  EXPECT_EQ(talk.answer().verdict, Verdict::kKernel);
}

TEST_P(Roles, DoNotMakeRepliesOfPacketsToAVipOrTheNode) {
  Talk talk(modes, family, "nat-web");
  talk.establish();
  const auto to_vip = packet()
                          .ethernet(mac_of_server(talk.server()), kLanMac)
                          .ip(talk.server_address(), family.vip)
                          .tcp(9000, 80, kSyn);
  EXPECT_NE(from_server(to_vip).server(), 0);  // as any client of the service
  const auto to_node = packet()
                           .ethernet(mac_of_server(talk.server()), kLanMac)
                           .ip(talk.server_address(), family.lan)
                           .tcp(9000, 22, kSyn);
  EXPECT_EQ(from_server(to_node).verdict, Verdict::kKernel);
}

}  // namespace
}  // namespace ballast::testing
