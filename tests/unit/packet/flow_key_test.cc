#include "dataplane/packet/flow_key.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/packet_builder.h"

namespace ballast {
namespace {

using testing::ip_address;

FlowHashKey random_key(std::mt19937_64& random) {
  FlowHashKey key{};
  for (uint64_t& word : key.words) {
    word = random();
  }
  return key;
}

FlowKey flow(IpAddress client, uint16_t port) {
  return {client, ip_address("192.0.2.10"), Big16::from_host(port), Big16::from_host(80),
          IpProtocol::kTcp};
}

// The bits of a flow that traffic can vary; the rest are zeros and the mapped prefix.
template <typename Visit>
void for_every_bit(const FlowKey& flow, Visit visit) {
  for (size_t bit = 0; bit < offsetof(FlowKey, zero) * 8; ++bit) {
    uint8_t bytes[sizeof(FlowKey)];
    std::memcpy(bytes, &flow, sizeof(bytes));
    bytes[bit / 8] ^= static_cast<uint8_t>(1U << bit % 8);
    FlowKey changed;
    std::memcpy(static_cast<void*>(&changed), bytes, sizeof(bytes));
    visit(bit, changed);
  }
}

TEST(FlowKey, PrintsBothFamiliesTheWayPeopleWriteThem) {
  EXPECT_EQ(flow(ip_address("198.51.100.7"), 40000).to_string(),
            "tcp 198.51.100.7:40000 -> 192.0.2.10:80");
  const FlowKey six{ip_address("2001:db8:1::7"), ip_address("2001:db8::10"), Big16::from_host(5353),
                    Big16::from_host(53), IpProtocol::kUdp};
  EXPECT_EQ(six.to_string(), "udp [2001:db8:1::7]:5353 -> [2001:db8::10]:53");
}

TEST(FlowKey, DiffersInEveryField) {
  const FlowKey one = flow(ip_address("198.51.100.7"), 40000);
  EXPECT_EQ(one, flow(ip_address("198.51.100.7"), 40000));
  for_every_bit(one,
                [&](size_t bit, const FlowKey& changed) { EXPECT_FALSE(one == changed) << bit; });
}

TEST(FlowHash, EveryBitOfAFlowMovesEveryBitOfTheHashHalfOfTheTime) {
  std::mt19937_64 random(1);
  constexpr int kRounds = 2000;
  constexpr size_t kBits = offsetof(FlowKey, zero) * 8;
  std::vector<int> moved(kBits * 64);
  for (int round = 0; round < kRounds; ++round) {
    const FlowHashKey key = random_key(random);
    const auto word = static_cast<uint32_t>(random());
    const FlowKey one =
        flow(IpAddress::v4({10, static_cast<uint8_t>(word >> 16), static_cast<uint8_t>(word >> 8),
                            static_cast<uint8_t>(word)}),
             static_cast<uint16_t>(random() | 1));
    const uint64_t hash = flow_hash(one, key);
    for_every_bit(one, [&](size_t bit, const FlowKey& changed) {
      const uint64_t difference = hash ^ flow_hash(changed, key);
      for (size_t i = 0; i < 64; ++i) {
        moved[bit * 64 + i] += static_cast<int>(difference >> i & 1);
      }
    });
  }
  const auto [least, most] = std::minmax_element(moved.begin(), moved.end());
  // Six standard deviations of 2000 fair coins around 1000: 134; over 19000 cells none is beyond by
  // chance.
  EXPECT_GT(*least, 1000 - 140);
  EXPECT_LT(*most, 1000 + 140);
}

TEST(FlowHash, EveryBitOfTheSecretMatters) {
  std::mt19937_64 random(2);
  const FlowHashKey key = random_key(random);
  const FlowKey one = flow(ip_address("198.51.100.7"), 40000);
  for (size_t bit = 0; bit < 6 * 64; ++bit) {
    FlowHashKey other = key;
    other.words[bit / 64] ^= uint64_t{1} << bit % 64;
    EXPECT_NE(flow_hash(one, key), flow_hash(one, other)) << bit;
  }
}

// Traffic as it comes: neighbouring addresses and ports. Chi-square over the low and over the high
// bits.
void expect_even_spread(const std::vector<uint64_t>& hashes, unsigned shift) {
  constexpr size_t kBuckets = 4096;
  std::vector<double> counts(kBuckets);
  for (const uint64_t hash : hashes) {
    counts[hash >> shift & (kBuckets - 1)] += 1;
  }
  const double expected = static_cast<double>(hashes.size()) / kBuckets;
  double chi_square = 0;
  for (const double count : counts) {
    chi_square += (count - expected) * (count - expected) / expected;
  }
  const double freedom = kBuckets - 1;
  EXPECT_LT(std::abs(chi_square - freedom), 6 * std::sqrt(2 * freedom)) << "bits from " << shift;
}

TEST(FlowHash, SpreadsNeighbouringFlowsEvenlyOverBuckets) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 4; ++round) {
    const FlowHashKey key = random_key(random);
    std::vector<uint64_t> hashes;
    for (unsigned host = 0; host < 64; ++host) {
      for (unsigned port = 0; port < 2048; ++port) {
        const IpAddress client = round % 2 == 0
                                     ? IpAddress::v4({10, 0, 0, static_cast<uint8_t>(host)})
                                     : IpAddress::v6({0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                                      0, 0, static_cast<uint8_t>(host)});
        hashes.push_back(flow_hash(flow(client, static_cast<uint16_t>(32768 + port)), key));
      }
    }
    for (const unsigned shift : {0U, 20U, 52U}) {
      expect_even_spread(hashes, shift);
    }
    std::sort(hashes.begin(), hashes.end());
    EXPECT_EQ(std::adjacent_find(hashes.begin(), hashes.end()), hashes.end());
  }
}

}  // namespace
}  // namespace ballast
