#include "dataplane/dpdk/advert_gate.h"

#include <array>

#include <gtest/gtest.h>

#include "dataplane/packet/wire.h"

namespace ballast {
namespace {

constexpr uint64_t kMs = 1'000'000;
constexpr MacAddress kTwinMac({2, 0, 0, 0, 0, 1});
constexpr MacAddress kVirtualMac({0, 0, 0x5e, 0, 1, 51});

// IPv4, version 3, virtual router 51, an interval of 100 ms.
struct Advert {
  Advert() {
    PacketView view(bytes.data(), bytes.size());
    *view.header_at<EthernetHeader>(0) = {MacAddress({1, 0, 0x5e, 0, 0, 0x12}), kTwinMac,
                                          kEtherTypeIpv4};
    auto* ip = view.header_at<Ipv4Header>(sizeof(EthernetHeader));
    ip->set_version_and_header_length(sizeof(Ipv4Header));
    ip->protocol = wire_byte(IpProtocol::kVrrp);
    constexpr size_t kMessage = sizeof(EthernetHeader) + sizeof(Ipv4Header);
    bytes[kMessage] = 0x31;
    bytes[kMessage + 1] = 51;
    bytes[kMessage + 5] = 10;
  }
  [[nodiscard]] PacketView view() { return {bytes.data(), bytes.size()}; }
  [[nodiscard]] MacAddress source() { return view().header_at<EthernetHeader>(0)->source; }

  std::array<uint8_t, sizeof(EthernetHeader) + sizeof(Ipv4Header) + 12> bytes{};
};

ForwardingSnapshot with_vip(const MacAddress& virtual_mac) {
  LocalAddress vip;
  vip.address = IpAddress::v4({192, 0, 2, 10});
  vip.virtual_mac = virtual_mac;
  ForwardingSnapshot snapshot;
  snapshot.addresses = std::make_shared<const AddressTable>(std::span(&vip, 1));
  return snapshot;
}

TEST(AdvertGate, GivesTheVirtualMacToAdvertsOfRoutersThatHaveOne) {
  AdvertGate gate;
  const TwinAge twin(0);
  const auto now = [] { return kMs; };
  Advert first;
  EXPECT_TRUE(gate.admit(first.view(), with_vip(kVirtualMac), twin, now));
  EXPECT_EQ(first.source(), kVirtualMac);
  Advert second;  // a reload has turned virtual MACs off
  EXPECT_TRUE(gate.admit(second.view(), with_vip(MacAddress{}), twin, now));
  EXPECT_EQ(second.source(), kTwinMac);
}

TEST(AdvertGate, KeepsAdvertsBackThatMayHaveWaitedForLongerThanTheirInterval) {
  AdvertGate gate;
  const TwinAge twin(1000 * kMs);
  Advert advert;
  EXPECT_TRUE(gate.admit(advert.view(), with_vip(kVirtualMac), twin, [] { return 1100 * kMs; }));
  Advert late;
  EXPECT_FALSE(gate.admit(late.view(), with_vip(kVirtualMac), twin, [] { return 1100 * kMs + 1; }));
  EXPECT_EQ(late.source(), kTwinMac);
}

TEST(AdvertGate, LetsEverythingElsePassAndDoesNotAskForTheTime) {
  AdvertGate gate;
  Advert other;
  other.bytes[sizeof(EthernetHeader) + 9] = wire_byte(IpProtocol::kTcp);
  const auto before = other.bytes;
  EXPECT_TRUE(gate.admit(other.view(), with_vip(kVirtualMac), TwinAge(0), []() -> uint64_t {
    ADD_FAILURE();
    return UINT64_MAX;
  }));
  EXPECT_EQ(other.bytes, before);
}

TEST(TwinAge, IsThatOfThePollThatFoundItEmpty) {
  TwinAge age(5);
  EXPECT_EQ(age.oldest_ns(), 5U);
  age.took(10);
  EXPECT_EQ(age.oldest_ns(), 5U) << "what else waits may be as old";
  age.found_empty(10);
  EXPECT_EQ(age.oldest_ns(), 10U);
}

TEST(TwinAge, GoesOnWhileTheKernelSendsWithoutEnd) {
  TwinAge age(0);
  uint64_t now = 1000;
  for (uint64_t frame = 0; frame < 10 * uint64_t{TwinAge::kRoom}; ++frame) {
    age.took(now++);
    EXPECT_LE(now - age.oldest_ns(), 1000 + 2 * uint64_t{TwinAge::kRoom} + 2);
  }
}

TEST(TwinAge, StaysThatOfTheBacklogUntilItIsRead) {
  TwinAge age(0);
  for (uint32_t frame = 0; frame < TwinAge::kRoom; ++frame) {  // all waited at 1000
    EXPECT_EQ(age.oldest_ns(), 0U);
    age.took(1000 + frame);
  }
}

}  // namespace
}  // namespace ballast
