#include "dataplane/scheduler/maglev_hash.h"

#include <algorithm>
#include <random>
#include <set>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ballast {
namespace {

// Two nodes may run different versions: these numbers must stay what they are.
TEST(MaglevHash, IsWhatEveryVersionComputes) {
  FlowKey flow;
  flow.client = *IpAddress::parse("198.51.100.7");
  flow.vip = *IpAddress::parse("192.0.2.10");
  flow.client_port = Big16::from_host(40000);
  flow.vip_port = Big16::from_host(80);
  flow.protocol = IpProtocol::kTcp;
  EXPECT_EQ(maglev_hash(flow), 4086819054253773589U);
  flow.client = *IpAddress::parse("2001:db8:1::7");
  flow.vip = *IpAddress::parse("2001:db8::10");
  flow.protocol = IpProtocol::kUdp;
  EXPECT_EQ(maglev_hash(flow), 14126564272674219156U);
  EXPECT_EQ(maglev_hash(*IpAddress::parse("10.0.0.11"), Big16::from_host(8080)),
            4320573252341687611U);
}

TEST(MaglevHash, EveryBitMovesEveryBitHalfOfTheTime) {
  constexpr int kRounds = 2000;
  constexpr size_t kWords = 5;
  std::mt19937_64 random(1);
  std::vector<int> moved(kWords * 64 * 64);
  for (int round = 0; round < kRounds; ++round) {
    // As it is with IPv4: a word of zeros, and few bits of the others that differ.
    const std::array<uint64_t, kWords> words{0, 0xffff0000U | random() << 32, 0,
                                             0x0a0200c0ffff0000U, random() & 0xffffffffffffU};
    const uint64_t hash = maglev_hash(words);
    for (size_t bit = 0; bit < kWords * 64; ++bit) {
      std::array<uint64_t, kWords> changed = words;
      changed[bit / 64] ^= uint64_t{1} << bit % 64;
      const uint64_t difference = hash ^ maglev_hash(changed);
      for (size_t i = 0; i < 64; ++i) {
        moved[bit * 64 + i] += static_cast<int>(difference >> i & 1);
      }
    }
  }
  const auto [least, most] = std::minmax_element(moved.begin(), moved.end());
  // Six standard deviations of 2000 fair coins around 1000: 134.
  EXPECT_GT(*least, 1000 - 140);
  EXPECT_LT(*most, 1000 + 140);
}

// Neighbouring addresses and ports, as they come: chi-square over the slots of a table.
TEST(MaglevHash, SpreadsTrafficEvenlyOverTheSlots) {
  constexpr size_t kSlots = 65536;
  std::vector<double> counts(kSlots);
  constexpr uint32_t kFlows = 1U << 21;
  for (uint32_t i = 0; i < kFlows; ++i) {
    FlowKey flow;
    flow.client = IpAddress::v4({198, 51, 100, static_cast<uint8_t>(i % 64)});
    flow.vip = *IpAddress::parse("192.0.2.10");
    flow.client_port = Big16::from_host(static_cast<uint16_t>(32768 + i / 64));
    flow.vip_port = Big16::from_host(443);
    flow.protocol = IpProtocol::kTcp;
    counts[maglev_hash(flow) % kSlots] += 1;
  }
  const double expected = static_cast<double>(kFlows) / kSlots;
  double chi_square = 0;
  for (const double count : counts) {
    chi_square += (count - expected) * (count - expected) / expected;
  }
  // Mean 65535, standard deviation 362.
  EXPECT_NEAR(chi_square, 65535, 6 * 362);
}

TEST(MaglevHash, TellsServersApartByAddressAndPort) {
  std::set<uint64_t> seen;
  for (uint8_t host = 0; host < 200; ++host) {
    for (uint16_t port = 0; port < 50; ++port) {
      seen.insert(maglev_hash(IpAddress::v4({10, 0, 0, host}), Big16::from_host(port)));
      seen.insert(maglev_hash(IpAddress::v6({0x20, 1, 0xd, 0xb8, host}), Big16::from_host(port)));
    }
  }
  EXPECT_EQ(seen.size(), 200U * 50U * 2U);
}

}  // namespace
}  // namespace ballast
