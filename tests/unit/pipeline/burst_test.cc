// A burst is decided as its packets one by one would be: what the stages remember of earlier
// packets, of this burst and of those before under the same snapshot and leases, and the lookups
// that run ahead, change nothing.
#include <random>

#include <gtest/gtest.h>

#include "tests/unit/pipeline/test_modes.h"
#include "tests/unit/pipeline/test_network.h"

namespace ballast::testing {
namespace {

constexpr std::string_view kStranger = "02:00:00:00:00:77";

class Bursts : public ::testing::Test {
 protected:
  std::mt19937 random{20240611};

  size_t below(size_t bound) { return std::uniform_int_distribution<size_t>(0, bound - 1)(random); }
  template <typename Choices>
  auto one_of(const Choices& choices) {
    return choices[below(std::size(choices))];
  }

  // Of few clients, to few places, in all the ways in which two packets for one VIP may differ.
  Frame any_frame() {
    static constexpr uint8_t kFlags[] = {kSyn, kAck, kAck, kAck, kAck | kPsh, kFin | kAck, kRst};
    static constexpr uint16_t kServices[] = {80, 80, 80, 8080, 81};
    const Family4or6& family = both_families()[below(2)];
    const std::string destinations[] = {family.vip,        family.vip,  family.vip,
                                        family.leased_vip, family.node, family.router};
    PacketBuilder packet;
    packet.ip(family.client, one_of(destinations));
    const auto port = static_cast<uint16_t>(40000 + below(6));
    if (below(4) == 0) {
      packet.udp(port, below(4) == 0 ? uint16_t{54} : uint16_t{53});
    } else {
      const uint8_t flags = one_of(kFlags);
      packet.tcp(port, one_of(kServices), flags).sequence((flags & kSyn) != 0 ? 1000 : 1001);
    }
    Frame frame = packet.build();
    const std::string_view macs[] = {kBalancerMac, kBalancerMac, kBalancerMac, kBalancerMac,
                                     kLanMac,      kVirtualMac,  kStranger};
    frame.ethernet()->destination = mac_address(one_of(macs));
    if (below(10) == 0) {
      frame.ethernet()->source = mac_address(one_of(macs));
    }
    return frame;
  }
};

void expect_same(const Outcome& one, const Outcome& other) {
  EXPECT_EQ(one.verdict, other.verdict);
  EXPECT_EQ(one.reason, other.reason);
  EXPECT_EQ(one.frame, other.frame);
  if (one.verdict == Verdict::kTransmit) {
    EXPECT_EQ(one.out_port, other.out_port);
  }
}

TEST_F(Bursts, AreDecidedAsTheirPacketsOneByOne) {
  TestNetwork together;
  TestNetwork apart;
  together.snapshot.serial = 1;  // that of `apart` is not counted: it remembers nothing
  size_t forwarded = 0;
  for (int round = 0; round < 3000 && !HasFailure(); ++round) {
    std::vector<Frame> burst;
    for (size_t count = 1 + below(Pipeline::kMaxBurst); count > 0; --count) {
      burst.push_back(any_frame());
    }
    const uint64_t deadline = below(3) == 0 ? 0 : kLeaseNeverEnds;
    const TestNetwork::How how{.port = below(8) == 0 ? kLan : kWan};
    for (TestNetwork* network : {&together, &apart}) {
      network->set_lease(deadline);
    }
    const std::vector<Outcome> outcomes = together.send_burst(burst, how);
    for (size_t i = 0; i < burst.size() && !HasFailure(); ++i) {
      expect_same(outcomes[i], apart.send(burst[i], how));
      forwarded += static_cast<size_t>(outcomes[i].server() != 0);
      if (HasFailure()) {
        FAIL() << "packet " << i << " of " << burst.size() << ": "
               << ::testing::PrintToString(burst[i]);
      }
    }
    together.pass(10 * kMillisecond);
    apart.pass(10 * kMillisecond);
  }
  EXPECT_GT(forwarded, 10'000U);
}

// ---- what was remembered ends with the snapshot and the leases that it was found out by

class Remembered : public ::testing::TestWithParam<Family4or6> {
 protected:
  Frame syn(const std::string& vip) {
    return packet().ip(GetParam().client, vip).tcp(++port_, 80, kSyn).build();
  }
  uint16_t port_ = 40000;
};
BALLAST_IN_BOTH_FAMILIES(Remembered);

TEST_P(Remembered, WaysEndWithTheLease) {
  TestNetwork network;
  network.snapshot.serial = 1;
  for (int turn = 0; turn < 3; ++turn) {
    network.set_lease(kLeaseNeverEnds);
    EXPECT_NE(network.send(syn(GetParam().leased_vip)).server(), 0);
    EXPECT_NE(network.send(syn(GetParam().leased_vip)).server(), 0);
    network.set_lease(0);
    EXPECT_EQ(network.send(syn(GetParam().leased_vip)).reason, DropReason::kVipNotOwned);
    EXPECT_NE(network.send(syn(GetParam().vip)).server(), 0);
  }
}

TEST_P(Remembered, WaysEndWithTheSnapshot) {
  TestNetwork network;
  network.snapshot.serial = 1;
  EXPECT_NE(network.send(syn(GetParam().vip)).server(), 0);
  LocalAddress address{.address = ip_address(GetParam().vip), .virtual_mac = {}};
  address.role = AddressRole::kNode;
  network.change_address(address);
  ++network.snapshot.serial;
  EXPECT_EQ(network.send(syn(GetParam().vip)).verdict, Verdict::kKernel);
}

TEST_P(Remembered, WaysAreOfThePortAndTheMacThatTheyWereFoundBy) {
  TestNetwork network;
  network.snapshot.serial = 1;
  EXPECT_NE(network.send(syn(GetParam().vip)).server(), 0);
  Frame to_another = syn(GetParam().vip);
  to_another.ethernet()->destination = mac_address(kStranger);
  EXPECT_EQ(network.send(to_another).verdict, Verdict::kDrop);
  Frame of_our_own = syn(GetParam().vip);
  of_our_own.ethernet()->source = mac_address(kBalancerMac);
  EXPECT_EQ(network.send(of_our_own).verdict, Verdict::kDrop);
}

TEST_P(Remembered, VipsOfRepliesEndWithTheLease) {
  TestNetwork network(all_modes());
  network.snapshot.serial = 1;
  for (const char* service : {"nat-web", "full-web"}) {
    network.set_lease(kLeaseNeverEnds);
    Talk talk(network, GetParam(), service, ++port_);
    talk.vip(GetParam().leased_vip).establish();
    EXPECT_EQ(talk.answer(talk.reply(kAck)).verdict, Verdict::kTransmit);
    network.set_lease(0);
    EXPECT_EQ(talk.answer(talk.reply(kAck)).reason, DropReason::kVipNotOwned);
  }
}

}  // namespace
}  // namespace ballast::testing
