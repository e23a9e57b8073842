#include "dataplane/rewrite/mss_clamp.h"

#include <random>

#include "tests/unit/rewrite/in_place.h"
#include "tests/unit/rewrite/mss_check.h"

namespace ballast::testing {
namespace {

constexpr std::string_view kClients[] = {"198.51.100.7", "2001:db8:1::7"};
constexpr std::string_view kVips[] = {"192.0.2.10", "2001:db8::10"};

PacketBuilder segment(size_t family, uint8_t flags, const Bytes& options) {
  return packet().ip(kClients[family], kVips[family]).tcp(40000, 80, flags).tcp_options(options);
}

Frame clamped(const Frame& frame, uint16_t maximum) {
  const ExactBuffer buffer(frame.bytes);
  static_cast<void>(clamp_mss(buffer.view(), parsed(frame), maximum));
  return {Bytes(buffer.data(), buffer.data() + buffer.size())};
}

struct OptionsNote {
  std::string_view what;
  Bytes arrives;
  Bytes leaves;
};

// Clamped to 1400 = 0x0578.
const OptionsNote kOptions[] = {
    {"1460", {2, 4, 0x05, 0xb4}, {2, 4, 0x05, 0x78}},
    {"as Linux sends it",
     {2, 4, 0x05, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7},
     {2, 4, 0x05, 0x78, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7}},
    {"at an odd place", {1, 2, 4, 0x05, 0xb4}, {1, 2, 4, 0x05, 0x78}},
    {"at an odd place, behind window scale",
     {3, 3, 7, 2, 4, 0xff, 0xff},
     {3, 3, 7, 2, 4, 0x05, 0x78}},
    {"two, the second lower",
     {2, 4, 0x05, 0xb4, 2, 4, 0x02, 0x18},
     {2, 4, 0x05, 0x78, 2, 4, 0x02, 0x18}},
    {"two, the second odd",
     {2, 4, 0x02, 0x18, 1, 2, 4, 0x23, 0x28},
     {2, 4, 0x02, 0x18, 1, 2, 4, 0x05, 0x78}},
    {"jumbo", {2, 4, 0x23, 0x28}, {2, 4, 0x05, 0x78}},
    {"exactly 1400", {2, 4, 0x05, 0x78}, {2, 4, 0x05, 0x78}},
    {"less: never raised", {2, 4, 0x02, 0x18}, {2, 4, 0x02, 0x18}},
    {"none: none added", {4, 2, 1, 1}, {4, 2, 1, 1}},
    {"no options", {}, {}},
    {"behind the end of options", {0, 2, 4, 0x05, 0xb4}, {0, 2, 4, 0x05, 0xb4}},
    {"length 3", {2, 3, 0x05, 0xb4}, {2, 3, 0x05, 0xb4}},
    {"length 6", {2, 6, 0x05, 0xb4, 0, 0}, {2, 6, 0x05, 0xb4, 0, 0}},
    {"length 0 in front", {8, 0, 2, 4, 0x05, 0xb4}, {8, 0, 2, 4, 0x05, 0xb4}},
    {"length 1 in front", {8, 1, 2, 4, 0x05, 0xb4}, {8, 1, 2, 4, 0x05, 0xb4}},
    {"beyond the end in front", {8, 40, 2, 4, 0x05, 0xb4}, {8, 40, 2, 4, 0x05, 0xb4}},
    {"cut off behind its kind", {1, 1, 1, 2}, {1, 1, 1, 2}},
    {"cut off within", {1, 2, 4, 0x05}, {1, 2, 4, 0x05}},
    {"inside another option",
     {8, 10, 2, 4, 0x05, 0xb4, 0, 0, 0, 0},
     {8, 10, 2, 4, 0x05, 0xb4, 0, 0, 0, 0}},
};

TEST(MssClamp, LowersWhatSynAndSynAckAnnounce) {
  for (size_t family = 0; family < 2; ++family) {
    for (const uint8_t flags : {uint8_t{kSyn}, uint8_t{kSyn | kAck}}) {
      for (const OptionsNote& note : kOptions) {
        SCOPED_TRACE(note.what);
        EXPECT_EQ(clamped(segment(family, flags, note.arrives).build(), 1400),
                  segment(family, flags, note.leaves).build());
        const Bytes data = {'o', 'd', 'd'};
        EXPECT_EQ(clamped(segment(family, flags, note.arrives).payload(data).build(), 1400),
                  segment(family, flags, note.leaves).payload(data).build());
      }
    }
  }
}

TEST(MssClamp, LeavesOtherSegmentsAlone) {
  for (size_t family = 0; family < 2; ++family) {
    for (const uint8_t flags : {uint8_t{kAck}, uint8_t{kRst | kAck}, uint8_t{kFin | kAck}}) {
      const Frame frame = segment(family, flags, kOptions[0].arrives).build();
      EXPECT_EQ(clamped(frame, 1400), frame);
    }
    const Frame later = segment(family, kSyn, kOptions[0].arrives)
                            .payload(Bytes(100, 2))
                            .fragment(24, 48, true)
                            .build();
    EXPECT_EQ(clamped(later, 1400), later);
    const Frame udp = packet()
                          .ip(kClients[family], kVips[family])
                          .udp(40000, 80)
                          .payload(Bytes{2, 4, 5, 0xb4})
                          .build();
    EXPECT_EQ(clamped(udp, 1400), udp);
  }
}

TEST(MssClamp, LowersInAFirstFragmentBehindOptionsAndInVlans) {
  const auto dressed = [](size_t family, const Bytes& options) {
    PacketBuilder builder =
        segment(family, kSyn, options).vlan(7).payload(Bytes(100, 'x')).fragment(0, 64, true);
    return (family == 0 ? builder.ipv4_options({148, 4, 0, 0})
                        : builder.extension(IpProtocol::kDestinationOptions))
        .build();
  };
  for (size_t family = 0; family < 2; ++family) {
    EXPECT_EQ(clamped(dressed(family, kOptions[2].arrives), 1400),
              dressed(family, kOptions[2].leaves));
  }
}

TEST(MssClamp, KnowsWhatFitsAPacket) {
  EXPECT_EQ(mss_for(1500, Family::kIpv4), 1460);
  EXPECT_EQ(mss_for(1500, Family::kIpv6), 1440);
  EXPECT_EQ(mss_for(40, Family::kIpv4), 0);
  EXPECT_EQ(mss_for(0, Family::kIpv6), 0);
}

TEST(MssClamp, DoesWhatTheModelDoesToRandomOptions) {
  std::mt19937 random(3);
  for (unsigned round = 0; round < 40000; ++round) {
    Bytes options(random() % 41);
    for (uint8_t& byte : options) {
      // Mostly what options are made of.
      constexpr uint8_t kFrequent[] = {0, 1, 1, 2, 2, 3, 4, 4, 5, 6, 8, 0xb4};
      byte = random() % 4 == 0 ? static_cast<uint8_t>(random())
                               : kFrequent[random() % std::size(kFrequent)];
    }
    const Frame frame = segment(round % 2, kSyn, options).build();
    const auto maximum = static_cast<uint16_t>(random() >> (random() % 16));
    ASSERT_EQ(violated_mss_clamp(frame.bytes, maximum), "") << ::testing::PrintToString(options);
  }
}

TEST(MssClamp, RefusesEveryTruncationOrStaysInside) {
  for (size_t family = 0; family < 2; ++family) {
    const Frame syn = segment(family, kSyn, kOptions[1].arrives).build();
    const ParsedPacket whole = parsed(syn);
    for (size_t size = 0; size < syn.size(); ++size) {
      const Frame cut = syn.truncated(size);
      const ExactBuffer buffer(cut.bytes);
      EXPECT_FALSE(clamp_mss(buffer.view(), whole, 1400)) << size;
      EXPECT_EQ(Bytes(buffer.data(), buffer.data() + size), cut.bytes);
      ASSERT_EQ(violated_mss_clamp(cut.bytes, 1400), "");
    }
  }
}

}  // namespace
}  // namespace ballast::testing
