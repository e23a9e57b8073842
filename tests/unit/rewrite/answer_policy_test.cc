#include "dataplane/rewrite/answer_policy.h"

#include "tests/unit/rewrite/in_place.h"

namespace ballast::testing {
namespace {

bool allowed(const PacketBuilder& builder) {
  Frame frame = builder.build();
  return answer_is_allowed(frame.view(), parsed(frame));
}

constexpr std::string_view kClients[] = {"198.51.100.7", "2001:db8:1::7"};
constexpr std::string_view kVips[] = {"192.0.2.10", "2001:db8::10"};

TEST(AnswerPolicy, AllowsAnswersToWhatAHostSends) {
  for (size_t i = 0; i < 2; ++i) {
    const PacketBuilder from_client = packet().ip(kClients[i], kVips[i]);
    EXPECT_TRUE(allowed(PacketBuilder(from_client).tcp(40000, 80, kSyn)));
    EXPECT_TRUE(allowed(PacketBuilder(from_client).udp(40000, 53)));
    EXPECT_TRUE(allowed(PacketBuilder(from_client).echo_request(1, 1)));
    EXPECT_TRUE(allowed(PacketBuilder(from_client).protocol(IpProtocol::kEsp).payload("12345678")));
    EXPECT_TRUE(allowed(PacketBuilder(from_client).vlan(0).udp(40000, 53)));
    EXPECT_TRUE(allowed(
        PacketBuilder(from_client).udp(40000, 53).payload("0123456789").fragment(0, 16, true)));
  }
}

TEST(AnswerPolicy, NeverAnswersAReset) {
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_FALSE(allowed(packet().ip(kClients[i], kVips[i]).tcp(40000, 80, kRst)));
    EXPECT_FALSE(allowed(packet().ip(kClients[i], kVips[i]).tcp(40000, 80, kRst | kAck)));
  }
}

TEST(AnswerPolicy, NeverAnswersAnErrorNorWhatMayBeOne) {
  for (const Sample& sample : sample_frames()) {
    if (sample.kind == PacketKind::kIcmpError) {
      Frame frame = sample.frame;
      EXPECT_FALSE(answer_is_allowed(frame.view(), parsed(frame))) << sample.name;
    }
  }
  for (const uint8_t type : {kIcmpSourceQuench, kIcmpRedirect, uint8_t{200}}) {
    EXPECT_FALSE(allowed(packet().ip(kClients[0], kVips[0]).icmp(type, 0))) << int{type};
  }
  EXPECT_FALSE(allowed(packet().ip(kClients[1], kVips[1]).icmp(100, 0)))
      << "an unknown ICMPv6 error";
  EXPECT_TRUE(allowed(packet().ip(kClients[0], kVips[0]).icmp(kIcmpEchoReply, 0)));
  EXPECT_TRUE(allowed(packet().ip(kClients[1], kVips[1]).icmp(kIcmpv6EchoReply, 0)));
}

TEST(AnswerPolicy, NeverAnswersLaterFragments) {
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_FALSE(allowed(packet()
                             .ip(kClients[i], kVips[i])
                             .udp(1, 2)
                             .payload("0123456789abcdef01234567")
                             .fragment(24, SIZE_MAX, false)));
  }
}

TEST(AnswerPolicy, NeverAnswersWhatWasSentToMany) {
  const std::string_view client_mac = "02:00:00:00:00:c1";
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_FALSE(allowed(
        packet().ethernet(client_mac, "ff:ff:ff:ff:ff:ff").ip(kClients[i], kVips[i]).udp(1, 2)));
    EXPECT_FALSE(allowed(
        packet().ethernet(client_mac, "01:00:5e:00:00:01").ip(kClients[i], kVips[i]).udp(1, 2)));
  }
  EXPECT_FALSE(allowed(packet().ip(kClients[0], "224.0.0.5").udp(1, 2)));
  EXPECT_FALSE(allowed(packet().ip(kClients[0], "255.255.255.255").udp(1, 2)));
  EXPECT_FALSE(allowed(packet().ip(kClients[1], "ff02::1").udp(1, 2)));
}

TEST(AnswerPolicy, NeverAnswersASourceThatIsNoSingleHost) {
  EXPECT_FALSE(allowed(
      packet().ethernet("03:00:00:00:00:01", kBalancerMac).ip(kClients[0], kVips[0]).udp(1, 2)));
  EXPECT_FALSE(allowed(
      packet().ethernet("00:00:00:00:00:00", kBalancerMac).ip(kClients[0], kVips[0]).udp(1, 2)));
  EXPECT_FALSE(allowed(packet().ip("240.0.0.1", kVips[0]).udp(1, 2)));
  EXPECT_FALSE(allowed(packet().ip("0.1.2.3", kVips[0]).udp(1, 2)));
  // The parser refuses these; the policy does not rely on it.
  Frame frame = packet().ip(kClients[0], kVips[0]).udp(1, 2).build();
  for (const char* source :
       {"0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "::", "::1", "ff02::1"}) {
    ParsedPacket packet = parsed(frame);
    packet.source = ip_address(source);
    EXPECT_FALSE(answer_is_allowed(frame.view(), packet)) << source;
  }
}

TEST(AnswerPolicy, NeverAnswersArpNdOrWhatIsNotIp) {
  for (const Sample& sample : sample_frames()) {
    if (sample.kind == PacketKind::kArp || sample.kind == PacketKind::kNeighborDiscovery ||
        sample.kind == PacketKind::kNotIp) {
      Frame frame = sample.frame;
      EXPECT_FALSE(answer_is_allowed(frame.view(), parsed(frame))) << sample.name;
    }
  }
}

}  // namespace
}  // namespace ballast::testing
