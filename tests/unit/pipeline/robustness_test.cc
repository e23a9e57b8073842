// Whatever comes in: no read or write outside of the frame's buffer (AddressSanitizer watches), one
// verdict, one reason.
#include <random>

#include <gtest/gtest.h>

#include "tests/unit/packet_samples.h"
#include "tests/unit/pipeline/test_network.h"

namespace ballast::testing {
namespace {

class Robustness : public ::testing::Test {
 protected:
  static TestNetwork::Options options() {
    TestNetwork::Options options;
    options.workers = 2;
    options.connections = {.trusted = 64, .untrusted = 64};
    options.answers_per_second = 100'000'000;
    return options;
  }
  TestNetwork network{options()};

  // What holds for every packet; the network itself sees to it that the counters agree.
  void expect_decided(const Frame& frame, const TestNetwork::How& how) {
    const Outcome outcome = network.send(frame, how);
    switch (outcome.verdict) {
      case Verdict::kDrop:
        EXPECT_NE(outcome.reason, DropReason::kNone);
        break;
      case Verdict::kTransmit:
        EXPECT_LT(index(outcome.out_port), 2);
        EXPECT_GE(outcome.frame.size(), sizeof(EthernetHeader));
        break;
      case Verdict::kKernel:
        EXPECT_EQ(outcome.reason, DropReason::kNone);
        EXPECT_EQ(outcome.frame, frame);
        break;
      case Verdict::kHandOver:
        EXPECT_EQ(outcome.reason, DropReason::kNone);
        EXPECT_EQ(outcome.frame, frame);
        EXPECT_NE(index(outcome.owner), how.worker);
        EXPECT_LT(index(outcome.owner), 2);
        break;
      case Verdict::kHold:
        EXPECT_EQ(outcome.reason, DropReason::kNone);
        break;
    }
    if (HasFailure()) {
      FAIL() << ::testing::PrintToString(frame) << ::testing::PrintToString(outcome);
    }
  }
};

TEST_F(Robustness, EveryTruncationOfEverySampleIsDecided) {
  for (const Sample& sample : sample_frames()) {
    for (size_t size = 0; size <= sample.frame.size(); ++size) {
      for (uint16_t worker = 0; worker < 2; ++worker) {
        expect_decided(sample.frame.truncated(size), {.worker = worker});
      }
    }
    ASSERT_FALSE(HasFailure()) << sample.name;
  }
}

TEST_F(Robustness, RandomMutationsOfEverySampleAreDecided) {
  std::mt19937 random{4711};
  const auto below = [&random](size_t bound) {
    return std::uniform_int_distribution<size_t>(0, bound - 1)(random);
  };
  static constexpr uint8_t kTelling[] = {0, 1, 4, 5, 0x0f, 0x45, 0x60, 0x7f, 0x80, 0xfe, 0xff};
  for (const Sample& sample : sample_frames()) {
    for (int i = 0; i < 1500 && !HasFailure(); ++i) {
      Frame frame = sample.frame;
      for (size_t changes = 1 + below(4); changes > 0; --changes) {
        // Headers mostly: what is behind the first hundred bytes is looked at rarely.
        uint8_t& byte = frame.bytes[below(std::min<size_t>(frame.size(), 100))];
        byte = below(2) == 0 ? kTelling[below(std::size(kTelling))]
                             : static_cast<uint8_t>(byte ^ (1U << below(8)));
      }
      // Half of them with right checksums, so that what lies behind these is reached. The builder's
      // own parser is for well-formed frames only.
      ParsedPacket parsed;
      Frame copy = frame;
      if (below(2) == 0 && parse(copy.view(), parsed) == DropReason::kIpv4Checksum &&
          parsed.vlan_tags == 0) {
        auto* ip = frame.ipv4();
        ip->checksum = {};
        const size_t length = std::max<size_t>(20, ip->header_length());
        const auto* first = frame.bytes.data() + sizeof(EthernetHeader);
        if (sizeof(EthernetHeader) + length <= frame.size()) {
          ip->checksum = Big16::from_host(reference_checksum(Bytes(first, first + length)));
        }
      }
      expect_decided(frame, {.port = below(4) == 0 ? kLan : kWan,
                             .worker = static_cast<uint16_t>(below(2)),
                             .handed_over = below(4) == 0 ? HandOver::kFlow : HandOver::kNone,
                             .rss = below(2) == 0});
      if (below(50) == 0) {
        const auto state = static_cast<NeighborState>(below(3));
        network.set_neighbor(static_cast<int>(1 + below(3)), state);
        network.pass(below(2000) * kMillisecond);
      }
    }
    ASSERT_FALSE(HasFailure()) << sample.name;
  }
}

TEST_F(Robustness, RandomBytesAreDecided) {
  std::mt19937 random{42};
  for (int i = 0; i < 20'000 && !HasFailure(); ++i) {
    Bytes bytes(random() % 120);
    for (uint8_t& byte : bytes) {
      byte = static_cast<uint8_t>(random());
    }
    expect_decided({bytes}, {});
  }
}

TEST_F(Robustness, AnEmptyBurstAndTheLongestAreProcessed) {
  EXPECT_TRUE(network.send_burst({}).empty());
  const Frame frame = sample_frames().front().frame;
  EXPECT_EQ(network.send_burst(std::vector<Frame>(Pipeline::kMaxBurst, frame)).size(),
            Pipeline::kMaxBurst);
}

}  // namespace
}  // namespace ballast::testing
