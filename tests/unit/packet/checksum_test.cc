#include "dataplane/packet/checksum.h"

#include <algorithm>
#include <cstring>
#include <random>

#include <gtest/gtest.h>

#include "tests/unit/packet_builder.h"

namespace ballast {
namespace {

using testing::Bytes;
using testing::reference_checksum;

Bytes random_bytes(std::mt19937_64& random, size_t length) {
  Bytes bytes(length);
  // Half of the words are 0x0000 or 0xffff: the corners of this arithmetic.
  for (size_t i = 0; i < length; ++i) {
    const uint64_t word = random();
    const auto corner = static_cast<uint8_t>((word & 1) != 0 ? 0xff : 0);
    bytes[i] = (word & 2) != 0 ? corner : static_cast<uint8_t>(word >> 8);
  }
  return bytes;
}

Big16 full_checksum(const Bytes& bytes) {
  return finish_checksum(sum_bytes(bytes.data(), bytes.size()));
}

TEST(Checksum, MatchesTheExampleOfRfc1071) {
  const Bytes bytes{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
  EXPECT_EQ(full_checksum(bytes).to_host(), 0x220d);  // complement of ddf2
}

TEST(Checksum, AgreesWithTheReferenceForEveryLengthAndAlignment) {
  std::mt19937_64 random(1);
  for (size_t length = 0; length < 200; ++length) {
    for (size_t shift = 0; shift < 8; ++shift) {
      const Bytes bytes = random_bytes(random, length);
      Bytes shifted(shift);
      shifted.insert(shifted.end(), bytes.begin(), bytes.end());
      const auto sum = sum_bytes(shifted.data() + shift, length);
      ASSERT_EQ(finish_checksum(sum).to_host(), reference_checksum(bytes)) << length;
    }
  }
}

TEST(Checksum, DoesNotLoseCarriesInALongRunOfOnes) {
  const Bytes bytes(65535, 0xff);
  EXPECT_EQ(full_checksum(bytes).to_host(), reference_checksum(bytes));
}

TEST(Checksum, OfSeveralPiecesIsThatOfTheWhole) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 1000; ++round) {
    const Bytes bytes = random_bytes(random, 1 + random() % 300);
    const size_t cut = random() % (bytes.size() + 1) / 2 * 2;  // all but the last are even
    const auto sum =
        sum_bytes(bytes.data() + cut, bytes.size() - cut, sum_bytes(bytes.data(), cut));
    ASSERT_EQ(finish_checksum(sum).to_host(), reference_checksum(bytes));
  }
}

TEST(Checksum, OfDataWithTheirChecksumIsValidAndOfChangedDataIsNot) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 1000; ++round) {
    Bytes bytes = random_bytes(random, 20 + random() % 40 * 2);
    bytes[10] = bytes[11] = 0;
    const Big16 checksum = full_checksum(bytes);
    std::memcpy(&bytes[10], &checksum, 2);
    ASSERT_TRUE(is_valid_checksum(sum_bytes(bytes.data(), bytes.size())));
    bytes[random() % bytes.size()] ^= static_cast<uint8_t>(1U << random() % 8);
    ASSERT_FALSE(is_valid_checksum(sum_bytes(bytes.data(), bytes.size())));
  }
}

TEST(Checksum, WithPseudoHeaderAgreesWithTheReferenceForBothFamilies) {
  std::mt19937_64 random(4);
  for (int round = 0; round < 2000; ++round) {
    const Bytes segment = random_bytes(random, 8 + random() % 100);
    const Bytes words = random_bytes(random, 32);
    IpAddress source = IpAddress::v4({words[0], words[1], words[2], words[3]});
    IpAddress destination = IpAddress::v4({words[4], words[5], words[6], words[7]});
    ChecksumSum sum = pseudo_header_sum(source.v4_bytes(), destination.v4_bytes(), IpProtocol::kTcp,
                                        static_cast<uint16_t>(segment.size()));
    if (round % 2 == 0) {
      IpAddress::V6Bytes bytes{};
      std::copy_n(words.begin(), 16, bytes.begin());
      source = IpAddress::v6(bytes);
      std::copy_n(words.begin() + 16, 16, bytes.begin());
      destination = IpAddress::v6(bytes);
      sum = pseudo_header_sum(source.bytes(), destination.bytes(), IpProtocol::kTcp,
                              static_cast<uint32_t>(segment.size()));
    }
    const uint16_t expected =
        testing::reference_transport_checksum(source, destination, IpProtocol::kTcp, segment);
    ASSERT_EQ(finish_checksum(sum_bytes(segment.data(), segment.size(), sum)).to_host(), expected);
    const ChecksumSum either = pseudo_header_sum(source, destination, IpProtocol::kTcp,
                                                 static_cast<uint32_t>(segment.size()));
    ASSERT_EQ(finish_checksum(sum_bytes(segment.data(), segment.size(), either)).to_host(),
              expected);
  }
}

TEST(UdpChecksum, IsNeverZeroOnTheWire) {
  const Bytes bytes{0xff, 0xff};
  EXPECT_EQ(finish_checksum(sum_bytes(bytes.data(), 2)).to_host(), 0);
  EXPECT_EQ(finish_udp_checksum(sum_bytes(bytes.data(), 2)).to_host(), 0xffff);
  EXPECT_EQ(finish_udp_checksum({}).to_host(), 0xffff);
}

// Replaces `Field` at an even place of random data and compares with the checksum of the new data.
template <typename Field>
void incremental_agrees_with_full(uint64_t seed) {
  std::mt19937_64 random(seed);
  for (int round = 0; round < 20000; ++round) {
    Bytes bytes = random_bytes(random, 40);
    bytes[0] |= 1;  // something in the data stays, as a version or a protocol number does
    const size_t at = 2 + random() % ((bytes.size() - 2 - sizeof(Field)) / 2 + 1) * 2;
    const Big16 checksum = full_checksum(bytes);
    Field before{};
    Field after{};
    std::memcpy(&before, &bytes[at], sizeof(Field));
    const Bytes replacement = random_bytes(random, sizeof(Field));
    std::memcpy(&after, replacement.data(), sizeof(Field));
    std::memcpy(&bytes[at], &after, sizeof(Field));
    ASSERT_EQ(updated_checksum(checksum, before, after).to_host(), full_checksum(bytes).to_host());
  }
}

TEST(IncrementalChecksum, AgreesWithTheFullOneForSixteenBits) {
  incremental_agrees_with_full<Big16>(5);
}
TEST(IncrementalChecksum, AgreesWithTheFullOneForThirtyTwoBits) {
  incremental_agrees_with_full<Big32>(6);
}
TEST(IncrementalChecksum, AgreesWithTheFullOneForIpv4Addresses) {
  incremental_agrees_with_full<IpAddress::V4Bytes>(7);
}
TEST(IncrementalChecksum, AgreesWithTheFullOneForIpv6Addresses) {
  incremental_agrees_with_full<IpAddress::V6Bytes>(8);
}

TEST(IncrementalChecksum, AgreesForEveryPairOfCornerWords) {
  const uint16_t corners[] = {0x0000, 0x0001, 0x00ff, 0x7fff, 0x8000, 0xfffe, 0xffff, 0x5555};
  for (const uint16_t constant : corners) {
    for (const uint16_t before : corners) {
      for (const uint16_t after : corners) {
        Bytes bytes{0x45,
                    0,
                    static_cast<uint8_t>(constant >> 8),
                    static_cast<uint8_t>(constant),
                    static_cast<uint8_t>(before >> 8),
                    static_cast<uint8_t>(before)};
        const Big16 checksum = full_checksum(bytes);
        bytes[4] = static_cast<uint8_t>(after >> 8);
        bytes[5] = static_cast<uint8_t>(after);
        ASSERT_EQ(
            updated_checksum(checksum, Big16::from_host(before), Big16::from_host(after)).to_host(),
            full_checksum(bytes).to_host())
            << constant << ' ' << before << ' ' << after;
      }
    }
  }
}

TEST(IncrementalChecksum, MatchesTheExampleOfRfc1624WhereEquation2IsWrong) {
  // Section 4: HC = 0xdd2f, m = 0x5555, m' = 0x3285 gives 0x0000.
  const auto updated = updated_checksum(Big16::from_host(0xdd2f), Big16::from_host(0x5555),
                                        Big16::from_host(0x3285));
  EXPECT_EQ(updated.to_host(), 0x0000);
}

TEST(IncrementalChecksum, OfAMappedAddressIsThatOfItsFourBytes) {
  std::mt19937_64 random(9);
  for (int round = 0; round < 1000; ++round) {
    const auto any = [&] {
      const auto word = static_cast<uint32_t>(random());
      return IpAddress::V4Bytes{static_cast<uint8_t>(word), static_cast<uint8_t>(word >> 8),
                                static_cast<uint8_t>(word >> 16), static_cast<uint8_t>(word >> 24)};
    };
    const auto before = any();
    const auto after = any();
    const auto checksum = Big16::from_host(static_cast<uint16_t>(random() % 0xffff));
    EXPECT_EQ(updated_checksum(checksum, before, after),
              updated_checksum(checksum, IpAddress::v4(before), IpAddress::v4(after)));
  }
}

TEST(ChecksumDelta, OfSeveralFieldsIsTheSameAsOneAfterTheOtherAndSurvivesFolding) {
  std::mt19937_64 random(10);
  for (int round = 0; round < 1000; ++round) {
    const auto word = [&] { return Big16::from_host(static_cast<uint16_t>(random())); };
    const auto wide = [&] { return Big32::from_host(static_cast<uint32_t>(random())); };
    const Big16 old_port = word(), new_port = word();
    const Big32 old_sequence = wide(), new_sequence = wide();
    const auto checksum = Big16::from_host(static_cast<uint16_t>(random() % 0xffff));
    ChecksumDelta delta;
    delta.replace(old_port, new_port);
    delta.replace(old_sequence, new_sequence);
    const Big16 stepwise = updated_checksum(updated_checksum(checksum, old_port, new_port),
                                            old_sequence, new_sequence);
    EXPECT_EQ(delta.apply(checksum), stepwise);
    EXPECT_EQ(ChecksumDelta::from_folded(delta.folded()).apply(checksum), stepwise);
  }
}

TEST(ChecksumDelta, LeavesUdpWithoutChecksumAloneAndNeverMakesOneThatSaysNone) {
  ChecksumDelta delta;
  delta.replace(Big16::from_host(0x5555), Big16::from_host(0x3285));
  EXPECT_EQ(delta.apply_udp(Big16{}).to_host(), 0);
  EXPECT_EQ(delta.apply(Big16::from_host(0xdd2f)).to_host(), 0);
  EXPECT_EQ(delta.apply_udp(Big16::from_host(0xdd2f)).to_host(), 0xffff);
}

}  // namespace
}  // namespace ballast
