// What must hold whatever arrives: truncations, mutations, noise, chained buffers. Frames lie in
// heap buffers of their exact size, so that a sanitizer build sees every read beyond.
#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "dataplane/packet/parser.h"
#include "tests/unit/packet_samples.h"
#include "tests/unit/parsed_packet_check.h"

namespace ballast {
namespace {

using testing::Bytes;
using testing::ExactBuffer;
using testing::Frame;
using testing::Sample;
using testing::violated_property;

TEST(ParserRobustness, AcceptsEverySampleWithItsKind) {
  for (const Sample& sample : testing::sample_frames()) {
    const ExactBuffer buffer(sample.frame.bytes);
    ParsedPacket packet;
    ASSERT_EQ(name_of(parse(buffer.view(), packet)), "none") << sample.name;
    EXPECT_EQ(packet.kind, sample.kind) << sample.name << ": " << to_string(packet);
    EXPECT_EQ(violated_property(sample.frame.bytes), "") << sample.name;
    EXPECT_EQ(sample.frame.wrong_checksum(), "") << sample.name;
  }
}

TEST(ParserRobustness, RefusesEveryTruncation) {
  for (const Sample& sample : testing::sample_frames()) {
    if (sample.kind == PacketKind::kNotIp) {
      continue;  // its length is nobody's business here
    }
    ParsedPacket packet;
    ASSERT_EQ(parse(ExactBuffer(sample.frame.bytes).view(), packet), DropReason::kNone);
    const size_t end = size_t{packet.network_offset} + packet.network_length;
    for (size_t size = 0; size < sample.frame.size(); ++size) {
      const ExactBuffer buffer(sample.frame.truncated(size).bytes);
      const DropReason reason = parse(buffer.view(), packet);
      // Behind the packet there is only Ethernet padding.
      ASSERT_EQ(reason == DropReason::kNone, size >= end) << sample.name << " cut to " << size;
    }
  }
}

TEST(ParserRobustness, SaysTheSameOfAChainedFrameOrThatAHeaderIsCutOff) {
  for (const Sample& sample : testing::sample_frames()) {
    ParsedPacket whole;
    ASSERT_EQ(parse(ExactBuffer(sample.frame.bytes).view(), whole), DropReason::kNone);
    for (size_t first = 0; first < sample.frame.size(); ++first) {
      const ExactBuffer buffer(sample.frame.truncated(first).bytes);
      ParsedPacket packet;
      const PacketView view(buffer.data(), first, sample.frame.size());
      ASSERT_EQ(testing::plain_disagreement(view), "") << sample.name << " split at " << first;
      if (parse(view, packet) == DropReason::kNone) {
        ASSERT_EQ(to_string(packet), to_string(whole)) << sample.name << " split at " << first;
        ASSERT_TRUE(packet == whole) << sample.name << " split at " << first;
      }
    }
  }
}

TEST(ParserRobustness, AcceptsAChainedFrameWhoseHeadersAreInTheFirstSegment) {
  for (const bool four : {true, false}) {
    const Frame frame = four ? testing::packet()
                                   .ip("198.51.100.7", "192.0.2.10")
                                   .tcp(1, 2, kAck)
                                   .payload(Bytes(3000))
                                   .build()
                             : testing::packet()
                                   .ip("2001:db8::7", "2001:db8::10")
                                   .tcp(1, 2, kAck)
                                   .payload(Bytes(3000))
                                   .build();
    const ExactBuffer buffer(frame.truncated(frame.transport_offset() + 20).bytes);
    ParsedPacket packet;
    EXPECT_EQ(parse({buffer.data(), buffer.size(), frame.size()}, packet), DropReason::kNone);
    EXPECT_EQ(packet.payload_length, 3000);
  }
}

void mutate(Bytes& bytes, std::mt19937_64& random) {
  static constexpr uint8_t kInteresting[] = {0,    1,    4,    5,    6,    0x0f,
                                             0x40, 0x45, 0x60, 0x7f, 0x80, 0xff};
  const size_t changes = 1 + random() % 4;
  for (size_t i = 0; i < changes && !bytes.empty(); ++i) {
    uint8_t& byte = bytes[random() % bytes.size()];
    switch (random() % 4) {
      case 0:
        byte ^= static_cast<uint8_t>(1U << random() % 8);
        break;
      case 1:
        byte = kInteresting[random() % std::size(kInteresting)];
        break;
      case 2:
        byte = static_cast<uint8_t>(random());
        break;
      default:
        bytes.resize(random() % 8 == 0 ? random() % (bytes.size() + 1) : bytes.size());
        break;
    }
  }
}

// Without its checksums made right again, hardly any mutation would get past them.
Bytes with_checksums(const Bytes& bytes) {
  Frame frame{bytes};
  try {
    frame.fix_checksums();
  } catch (const std::out_of_range&) {
    // Lengths point beyond the frame: the parser may see it as it is.
  }
  return frame.bytes;
}

TEST(ParserRobustness, KeepsItsPropertiesOnMutatedFrames) {
  const auto samples = testing::sample_frames();
  std::mt19937_64 random(1);
  int accepted = 0;
  constexpr int kRounds = 200000;
  for (int round = 0; round < kRounds; ++round) {
    Bytes bytes = samples[random() % samples.size()].frame.bytes;
    mutate(bytes, random);
    if (random() % 4 != 0) {
      bytes = with_checksums(bytes);
    }
    ASSERT_EQ(violated_property(bytes), "") << ::testing::PrintToString(Frame{bytes});
    ParsedPacket packet;
    accepted += parse({bytes.data(), bytes.size()}, packet) == DropReason::kNone ? 1 : 0;
  }
  // The test is worth nothing when all is refused, or when nothing is.
  EXPECT_GT(accepted, kRounds / 10);
  EXPECT_LT(accepted, kRounds * 9 / 10);
}

TEST(ParserRobustness, KeepsItsPropertiesOnNoise) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 100000; ++round) {
    Bytes bytes(random() % 128);
    for (uint8_t& byte : bytes) {
      byte = static_cast<uint8_t>(random());
    }
    if (bytes.size() > 15) {
      static constexpr uint16_t kTypes[] = {0x0800, 0x86dd, 0x0806, 0x8100, 0x88a8};
      const uint16_t type = kTypes[random() % std::size(kTypes)];
      bytes[12] = static_cast<uint8_t>(type >> 8);
      bytes[13] = static_cast<uint8_t>(type);
      bytes[14] = type == 0x86dd ? 0x60 : 0x45;
    }
    ASSERT_EQ(violated_property(bytes), "") << ::testing::PrintToString(Frame{bytes});
  }
}

}  // namespace
}  // namespace ballast
