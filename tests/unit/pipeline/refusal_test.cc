// What a client gets that cannot be served, and how often.
#include <gtest/gtest.h>

#include "dataplane/packet/wire.h"
#include "tests/unit/pipeline/test_network.h"

namespace ballast::testing {
namespace {

class Refusal : public InBothFamilies {
 protected:
  void expect_port_unreachable(const Outcome& outcome, const Frame& about) {
    ASSERT_EQ(outcome.verdict, Verdict::kTransmit);
    EXPECT_EQ(outcome.out_port, kWan);
    Frame error = outcome.frame;
    EXPECT_EQ(error.wrong_checksum(), "");
    ASSERT_NE(error.icmp(), nullptr);
    EXPECT_EQ(error.icmp()->type,
              family.is_v4() ? kIcmpDestinationUnreachable : kIcmpv6DestinationUnreachable);
    EXPECT_EQ(error.icmp()->code, family.is_v4() ? kIcmpPortUnreachable : kIcmpv6PortUnreachable);
    EXPECT_EQ(error.payload(), about.network_bytes());
    EXPECT_EQ(error.ethernet()->destination, mac_address(kClientMac));
    EXPECT_EQ(error.ethernet()->source, mac_address(kBalancerMac));
  }
  void expect_reset_of_syn(const Outcome& outcome) {
    ASSERT_EQ(outcome.verdict, Verdict::kTransmit);
    Frame reset = outcome.frame;
    EXPECT_EQ(reset.wrong_checksum(), "");
    ASSERT_NE(reset.tcp(), nullptr);
    EXPECT_EQ(reset.tcp()->flags, kRst | kAck);
    EXPECT_EQ(reset.tcp()->acknowledgment.to_host(), 1001U);
  }
};
BALLAST_IN_BOTH_FAMILIES(Refusal);

TEST_P(Refusal, ResetsASynToAPortWithoutService) {
  const Outcome outcome = network.send(segment(40000, kSyn, 81));
  EXPECT_EQ(outcome.reason, DropReason::kNoService);
  expect_reset_of_syn(outcome);
}

TEST_P(Refusal, SaysPortUnreachableForADatagramToAPortWithoutService) {
  const Frame query = from_client().udp(5353, 54).payload("query").build();
  const Outcome outcome = network.send(query);
  EXPECT_EQ(outcome.reason, DropReason::kNoService);
  expect_port_unreachable(outcome, query);
}

TEST_P(Refusal, TellsAServiceByItsProtocol) {
  EXPECT_EQ(network.send(from_client().udp(5353, 80)).reason, DropReason::kNoService);
  EXPECT_EQ(network.send(segment(40000, kSyn, 53)).reason, DropReason::kNoService);
}

TEST_P(Refusal, IsSilentWhenConfigured) {
  network.snapshot.on_no_service = RefuseAction::kDrop;
  EXPECT_EQ(network.send(segment(40000, kSyn, 81)).verdict, Verdict::kDrop);
  EXPECT_EQ(network.send(from_client().udp(5353, 54)).verdict, Verdict::kDrop);
  EXPECT_EQ(network.drops(DropReason::kNoService), 2U);
}

TEST_P(Refusal, ResetsASynWhenNoServerIsUsable) {
  network.use_servers("web", {});
  const Outcome outcome = network.send(segment(40000, kSyn));
  EXPECT_EQ(outcome.reason, DropReason::kNoUsableServer);
  expect_reset_of_syn(outcome);
  EXPECT_EQ(network.connections().size(), 0U);
  network.service("web").on_no_server = RefuseAction::kDrop;
  EXPECT_EQ(network.send(segment(40000, kSyn)).verdict, Verdict::kDrop);
}

TEST_P(Refusal, SaysPortUnreachableWhenNoServerIsUsable) {
  network.use_servers("dns", {});
  const Frame query = from_client().udp(5353, 53).payload("query").build();
  expect_port_unreachable(network.send(query), query);
}

TEST_P(Refusal, AnswersFromTheVirtualMacOfTheVip) {
  const Outcome outcome = network.send(packet()
                                           .ethernet(kClientMac, kVirtualMac)
                                           .ip(family.client, family.leased_vip)
                                           .tcp(40000, 81, kSyn));
  ASSERT_EQ(outcome.verdict, Verdict::kTransmit);
  EXPECT_EQ(Frame(outcome.frame).ethernet()->source, mac_address(kVirtualMac));
}

TEST_P(Refusal, IsNotAnsweredToASourceThatIsNoSingleHost) {
  const std::string_view nobody = family.is_v4() ? "255.255.255.255" : "ff02::1";
  const Outcome outcome = network.send(packet().ip(nobody, family.vip).udp(5353, 54));
  EXPECT_EQ(outcome.verdict, Verdict::kDrop);
}

TEST_P(Refusal, IsAnsweredAtALimitedRate) {
  const auto refused_of = [&](int packets) {
    int answered = 0;
    for (int i = 0; i < packets; ++i) {
      const Outcome outcome = network.send(segment(40000, kSyn, 81));
      EXPECT_EQ(outcome.reason, DropReason::kNoService);
      answered += outcome.verdict == Verdict::kTransmit ? 1 : 0;
    }
    return answered;
  };
  EXPECT_EQ(refused_of(500), 100);  // the burst
  EXPECT_EQ(network.counters().answers_limited.read(), 400U);
  network.pass(10 * kMillisecond);  // at 1000 a second
  EXPECT_EQ(refused_of(500), 10);
  network.pass(kSecond);
  EXPECT_EQ(refused_of(500), 100);
  EXPECT_EQ(network.counters().answers.read(), 210U);
}

TEST_P(Refusal, IsNeverAnsweredAtARateOfZero) {
  TestNetwork::Options options;
  options.answers_per_second = 0;
  TestNetwork silent(options);
  EXPECT_EQ(silent.send(segment(40000, kSyn, 81)).verdict, Verdict::kDrop);
  silent.pass(10 * kSecond);
  EXPECT_EQ(silent.send(segment(40000, kSyn, 81)).verdict, Verdict::kDrop);
}

TEST_P(Refusal, OfAProtocolThatIsNotForwardedIsSilent) {
  const Outcome outcome = network.send(from_client().protocol(IpProtocol::kEsp).payload("secret"));
  EXPECT_EQ(outcome.verdict, Verdict::kDrop);
  EXPECT_EQ(outcome.reason, DropReason::kProtocolUnsupported);
}

TEST_P(Refusal, OfALaterFragmentWithoutAFirstIsLateAndSilent) {
  const auto fragment = from_client().udp(5353, 53).payload(Bytes(64)).fragment(16, 16, true);
  EXPECT_EQ(network.send(fragment).verdict, Verdict::kHold);
  const std::vector<Outcome> gone = network.pass(kSecond);
  ASSERT_EQ(gone.size(), 1U);
  EXPECT_EQ(gone[0].verdict, Verdict::kDrop);
  EXPECT_EQ(gone[0].reason, DropReason::kFragmentTimeout);
}

}  // namespace
}  // namespace ballast::testing
