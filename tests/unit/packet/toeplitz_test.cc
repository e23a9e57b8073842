#include "dataplane/packet/toeplitz.h"

#include <algorithm>
#include <random>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/packet_builder.h"

namespace ballast {
namespace {

using testing::ip_address;

struct Vector {
  std::string_view destination;
  uint16_t destination_port;
  std::string_view source;
  uint16_t source_port;
  uint32_t addresses;
  uint32_t with_ports;
};

// Microsoft, "Verifying the RSS Hash Calculation".
constexpr Vector kVectors[] = {
    {"161.142.100.80", 1766, "66.9.149.187", 2794, 0x323e8fc2, 0x51ccc178},
    {"65.69.140.83", 4739, "199.92.111.2", 14230, 0xd718262a, 0xc626b0ea},
    {"12.22.207.184", 38024, "24.19.198.95", 12898, 0xd2d0a5de, 0x5c2b394a},
    {"209.142.163.6", 2217, "38.27.205.30", 48228, 0x82989176, 0xafc7327f},
    {"202.188.127.2", 1303, "153.39.163.191", 44251, 0x5d1809c5, 0x10e828a2},
    {"3ffe:2501:200:3::1", 1766, "3ffe:2501:200:1fff::7", 2794, 0x2cc18cd5, 0x40207d3d},
    {"ff02::1", 4739, "3ffe:501:8::260:97ff:fe40:efab", 14230, 0x0f0c461c, 0xdde51bbf},
    {"fe80::200:f8ff:fe21:67cf", 38024, "3ffe:1900:4545:3:200:f8ff:fe21:67cf", 44251, 0x4b61e985,
     0x02d1feef},
};

// Bit by bit, as the definition has it.
uint32_t reference(const std::vector<uint8_t>& key, const std::vector<uint8_t>& input) {
  uint32_t result = 0;
  for (size_t bit = 0; bit < input.size() * 8; ++bit) {
    if ((input[bit / 8] >> (7 - bit % 8) & 1) == 0) {
      continue;
    }
    for (size_t i = 0; i < 32; ++i) {
      const size_t at = bit + i;
      result ^= static_cast<uint32_t>(key[at / 8] >> (7 - at % 8) & 1) << (31 - i);
    }
  }
  return result;
}

TEST(Toeplitz, MatchesMicrosoftsVerificationSuite) {
  const ToeplitzHash toeplitz(kMicrosoftRssKey);
  for (const Vector& v : kVectors) {
    const IpAddress source = ip_address(v.source);
    const IpAddress destination = ip_address(v.destination);
    EXPECT_EQ(toeplitz.hash(source, destination), v.addresses) << v.source;
    EXPECT_EQ(toeplitz.hash(source, destination, Big16::from_host(v.source_port),
                            Big16::from_host(v.destination_port)),
              v.with_ports)
        << v.source;
  }
}

TEST(Toeplitz, AgreesWithTheDefinitionForRandomKeysOfBothLengths) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 200; ++round) {
    std::vector<uint8_t> key(round % 2 == 0 ? 40 : 52);
    for (uint8_t& byte : key) {
      byte = static_cast<uint8_t>(random());
    }
    std::vector<uint8_t> input(round % 4 < 2 ? 36 : 12);
    for (uint8_t& byte : input) {
      byte = static_cast<uint8_t>(random());
    }
    const size_t length = (input.size() - 4) / 2;
    const auto address = [&](size_t at) {
      IpAddress::V6Bytes bytes = length == 4 ? IpAddress::v4({}).bytes() : IpAddress::V6Bytes{};
      for (size_t i = 0; i < length; ++i) {
        bytes[16 - length + i] = input[at + i];
      }
      return IpAddress::v6(bytes);
    };
    const auto port = [&](size_t at) {
      return Big16::from_host(static_cast<uint16_t>(input[at] << 8 | input[at + 1]));
    };
    const ToeplitzHash toeplitz(key);
    EXPECT_EQ(toeplitz.hash(address(0), address(length), port(2 * length), port(2 * length + 2)),
              reference(key, input));
    std::vector<uint8_t> half = input;
    std::fill_n(half.begin() + static_cast<std::ptrdiff_t>(length), length, uint8_t{0});
    std::fill_n(half.end() - 2, 2, uint8_t{0});
    EXPECT_EQ(toeplitz.hash_source(address(0), port(2 * length)), reference(key, half));
    input.resize(2 * length);
    EXPECT_EQ(toeplitz.hash(address(0), address(length)), reference(key, input));
  }
}

}  // namespace
}  // namespace ballast
