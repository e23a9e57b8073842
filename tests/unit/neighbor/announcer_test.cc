#include "dataplane/neighbor/announcer.h"

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dataplane/api/lease_page.h"
#include "tests/unit/packet_builder.h"

namespace ballast::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kRefresh = 60'000 * kMs;
constexpr uint64_t kBegin = 1'000'000 * kMs;  // the machine has been up for a while
constexpr std::string_view kVirtualMac4 = "00:00:5e:00:01:33";
constexpr std::string_view kVirtualMac6 = "00:00:5e:00:02:33";

AnnouncedAddress vip(std::string_view address, uint8_t slot = 1) {
  const IpAddress value = ip_address(address);
  return {value, mac_address(value.is_v4() ? kVirtualMac4 : kVirtualMac6), LeaseSlot{slot}};
}

std::string numbered(size_t number) {
  return "10.0." + std::to_string(number / 250) + "." + std::to_string(1 + number % 250);
}

std::vector<AnnouncedAddress> many(size_t count, uint8_t slot = 1) {
  std::vector<AnnouncedAddress> vips;
  for (size_t i = 0; i < count; ++i) {
    vips.push_back(vip(numbered(i), slot));
  }
  return vips;
}

// One port, polled every millisecond; what it sent, by the millisecond since the beginning.
struct Polled {
  struct Sent {
    uint64_t at_ms;
    Announcement what;
  };

  explicit Polled(uint64_t refresh_ns = kRefresh) : announcer(refresh_ns) {
    announcer.set_port_up(true, now_ns);
  }

  void poll() {
    std::array<Announcement, Announcer::kFramesPerMillisecond> due;
    const size_t count = announcer.poll(held, wishes, now_ns, due);
    for (size_t i = 0; i < count; ++i) {
      sent.push_back({(now_ns - kBegin) / kMs, due[i]});
    }
  }
  void run_ms(uint64_t duration) {
    for (uint64_t i = 0; i < duration; ++i) {
      poll();
      now_ns += kMs;
    }
  }
  // The milliseconds in which `address` was announced.
  std::vector<uint64_t> rounds(std::string_view address) {
    std::vector<uint64_t> result;
    for (const Sent& one : sent) {
      if (one.what.what.address == ip_address(address) &&
          (result.empty() || result.back() != one.at_ms)) {
        result.push_back(one.at_ms);
      }
    }
    return result;
  }
  [[nodiscard]] uint64_t ms() const { return (now_ns - kBegin) / kMs; }

  Announcer announcer;
  uint64_t now_ns = kBegin;
  uint64_t held = 1;  // slot 0 never ends
  std::array<uint64_t, Announcer::kSlots> wishes{};
  std::vector<Sent> sent;
};

TEST(Announcer, SaysNothingWithoutTheLease) {
  Polled port;
  port.announcer.set_addresses({vip("192.0.2.10", 1), vip("2001:db8::10", 63)}, port.now_ns);
  port.held = ~(uint64_t{1} << 1 | uint64_t{1} << 63);  // every other is
  port.wishes.fill(kBegin + 7 * kMs);
  port.run_ms(3000);
  EXPECT_THAT(port.sent, IsEmpty());
}

TEST(Announcer, SaysNothingUnderALeaseThatOnlyForwardsAndBeginsWhenItAnswers) {
  LeasePage leases{};
  Polled port;
  port.announcer.set_addresses({vip("192.0.2.10")}, port.now_ns);
  leases.forward_until_ns[1].store(kBegin + 2000 * kMs);
  port.wishes[1] = port.now_ns;
  for (; port.ms() < 2500; port.now_ns += kMs) {
    if (port.ms() == 500) {
      leases.answer_until_ns[1].store(kBegin + 1600 * kMs);
    }
    port.held = leases.masks(port.now_ns).answering;
    port.poll();
  }
  EXPECT_THAT(port.rounds("192.0.2.10"), ElementsAre(500, 505, 520, 600, 1500));
}

TEST(Announcer, SaysNothingWhileThePortIsDownAndEverythingWhenItComesUp) {
  Polled port;
  port.announcer.set_port_up(false, port.now_ns);
  port.announcer.set_addresses({vip("192.0.2.10")}, port.now_ns);
  port.held = 3;
  port.run_ms(10);
  port.wishes[1] = port.now_ns;
  port.run_ms(1990);
  EXPECT_THAT(port.sent, IsEmpty());
  port.announcer.set_port_up(true, port.now_ns);
  port.run_ms(2000);
  EXPECT_THAT(port.rounds("192.0.2.10"), ElementsAre(2000, 2005, 2020, 2100, 3000));
  port.sent.clear();
  port.announcer.set_port_up(false, port.now_ns);
  port.run_ms(61'000);
  EXPECT_THAT(port.sent, IsEmpty());
}

TEST(Announcer, AnnouncesAddressesWithoutVrrpFromTheStartOn) {
  Polled port;
  port.announcer.set_addresses({vip("192.0.2.10", 0)}, port.now_ns);
  port.run_ms(2000);
  EXPECT_THAT(port.rounds("192.0.2.10"), ElementsAre(0, 5, 20, 100, 1000));
}

TEST(Announcer, LeavesTheFirstRoundOutAfterTakingALeaseUnlessAskedForIt) {
  Polled port;
  port.announcer.set_addresses({vip("192.0.2.10", 1), vip("2001:db8::10", 2)}, port.now_ns);
  port.run_ms(100);
  port.held = 7;
  port.wishes[2] = port.now_ns;  // no preemption
  port.run_ms(2000);
  EXPECT_THAT(port.rounds("192.0.2.10"), ElementsAre(105, 120, 200, 1100));
  EXPECT_THAT(port.rounds("2001:db8::10"), ElementsAre(100, 105, 120, 200, 1100));
}

TEST(Announcer, HeedsAWishThatWasThereBeforeTheLease) {
  Polled port;
  port.announcer.set_addresses({vip("192.0.2.10")}, port.now_ns);
  port.wishes[1] = port.now_ns;
  port.run_ms(100);
  EXPECT_THAT(port.sent, IsEmpty());
  port.held = 3;
  port.run_ms(1);
  EXPECT_THAT(port.rounds("192.0.2.10"), ElementsAre(100));
}

TEST(Announcer, ForgetsAWishWithTheLeaseThatEnds) {
  Polled port;
  port.announcer.set_addresses({vip("192.0.2.10")}, port.now_ns);
  port.held = 3;
  port.run_ms(2000);
  port.sent.clear();
  port.wishes[1] = port.now_ns + 50 * kMs;
  port.run_ms(10);
  port.held = 1;
  port.run_ms(100);
  port.held = 3;
  port.run_ms(4);
  EXPECT_THAT(port.sent, IsEmpty()) << "+0 was not asked for this time";
}

TEST(Announcer, SendsOneMoreRoundForEveryNewWish) {
  Polled port;
  port.announcer.set_addresses({vip("192.0.2.10", 1), vip("192.0.2.20", 2)}, port.now_ns);
  port.held = 7;
  port.run_ms(2000);
  port.sent.clear();
  port.wishes[1] = port.now_ns + 10 * kMs;
  port.run_ms(500);
  EXPECT_THAT(port.rounds("192.0.2.10"), ElementsAre(2010));
  port.wishes[1] = 1;  // any other value
  port.run_ms(500);
  EXPECT_THAT(port.rounds("192.0.2.10"), ElementsAre(2010, 2500));
  EXPECT_THAT(port.rounds("192.0.2.20"), IsEmpty());
}

TEST(Announcer, MakesOneOfRoundsThatWouldFollowEachOtherAtOnce) {
  Polled port;
  port.announcer.set_addresses({vip("192.0.2.10")}, port.now_ns);
  port.held = 3;
  for (const uint64_t at : {0, 4, 6, 20, 101}) {  // ballastd's rounds, a little off
    port.run_ms(at - port.ms());
    port.wishes[1] = port.now_ns;
  }
  port.run_ms(2000);
  EXPECT_THAT(port.rounds("192.0.2.10"), ElementsAre(0, 4, 6, 20, 100, 1000));
}

TEST(Announcer, EndsAtOnceWithTheLease) {
  for (const uint64_t at : {1, 5, 6, 19, 20, 50, 100, 101, 999, 1000, 1001}) {
    Polled port;
    port.announcer.set_addresses({vip("192.0.2.10"), vip("2001:db8::10")}, port.now_ns);
    port.held = 3;
    port.wishes[1] = port.now_ns;
    port.run_ms(at);
    port.sent.clear();
    port.held = 1;
    port.run_ms(3000);
    EXPECT_THAT(port.sent, IsEmpty()) << at;
    port.held = 3;
    port.run_ms(2000);
    EXPECT_THAT(port.rounds("2001:db8::10"),
                ElementsAre(at + 3005, at + 3020, at + 3100, at + 4000));
  }
}

TEST(Announcer, RefreshesWhatItHolds) {
  Polled port;
  port.announcer.set_addresses({vip("192.0.2.10", 0)}, port.now_ns);
  port.run_ms(190'000);
  EXPECT_THAT(port.rounds("192.0.2.10"),
              ElementsAre(0, 5, 20, 100, 1000, 61'000, 121'000, 181'000));
  Polled without(0);
  without.announcer.set_addresses({vip("192.0.2.10", 0)}, without.now_ns);
  without.run_ms(190'000);
  EXPECT_THAT(without.rounds("192.0.2.10"), ElementsAre(0, 5, 20, 100, 1000));
}

TEST(Announcer, RefreshesInTheMidstOfTheRoundsWhereAskedTo) {
  Polled port(300 * kMs);
  port.announcer.set_addresses({vip("192.0.2.10", 0)}, port.now_ns);
  port.run_ms(1500);
  EXPECT_THAT(port.rounds("192.0.2.10"), ElementsAre(0, 5, 20, 100, 400, 700, 1000, 1300));
}

TEST(Announcer, AnnouncesWhatIsAddedAndLeavesTheOthersAlone) {
  Polled port;
  port.announcer.set_addresses({vip("192.0.2.10"), vip("192.0.2.30")}, port.now_ns);
  port.held = 3;
  port.run_ms(2000);
  port.sent.clear();
  AnnouncedAddress moved = vip("192.0.2.30");
  moved.mac = mac_address("02:00:00:00:00:01");
  port.announcer.set_addresses({moved, vip("192.0.2.20"), vip("192.0.2.10")}, port.now_ns);
  port.run_ms(2000);
  EXPECT_THAT(port.rounds("192.0.2.20"), ElementsAre(2000, 2005, 2020, 2100, 3000));
  EXPECT_THAT(port.rounds("192.0.2.30"), ElementsAre(2000, 2005, 2020, 2100, 3000));
  EXPECT_THAT(port.rounds("192.0.2.10"), IsEmpty());
  port.sent.clear();
  port.announcer.set_addresses({vip("192.0.2.10")}, port.now_ns);
  port.run_ms(61'000);
  EXPECT_THAT(port.rounds("192.0.2.20"), IsEmpty());
  EXPECT_THAT(port.rounds("192.0.2.10"), ElementsAre(61'000));
}

TEST(Announcer, SendsAThousandAddressesInTurnAndNeverMoreThanTheBound) {
  Polled port;
  port.announcer.set_addresses(many(1000), port.now_ns);
  port.held = 3;
  port.run_ms(3000);
  std::map<uint64_t, size_t> frames;
  std::map<IpAddress, size_t> rounds;
  std::map<IpAddress, uint64_t> first;
  for (const Polled::Sent& one : port.sent) {
    ++frames[one.at_ms];
    rounds[one.what.what.address] += one.what.form == AnnouncementForm::kRequest ? 1 : 0;
    first.try_emplace(one.what.what.address, one.at_ms);
  }
  for (const auto& [at, count] : frames) {
    EXPECT_LE(count, Announcer::kFramesPerMillisecond) << at;
  }
  ASSERT_EQ(rounds.size(), 1000U) << "every one has had its turn";
  for (const auto& [address, at] : first) {
    EXPECT_LE(at, 5 + 2 * 1000 / Announcer::kFramesPerMillisecond) << address.to_string();
  }
  for (const auto& [address, count] : rounds) {
    EXPECT_GE(count, 3U) << address.to_string();  // some are merged while the others have theirs
    EXPECT_LE(count, 4U) << address.to_string();
  }
}

TEST(Announcer, IsBoundHoweverOftenItIsPolledAndHoweverSmallTheRoom) {
  Polled port;
  port.announcer.set_addresses(many(200, 0), port.now_ns);
  std::array<Announcement, 7> due;
  size_t sent = 0;
  for (int i = 0; i < 100; ++i) {  // all within a millisecond
    const size_t count = port.announcer.poll(1, {}, port.now_ns + static_cast<uint64_t>(i), due);
    EXPECT_EQ(count % 2, 0U) << "a round is whole";
    sent += count;
  }
  EXPECT_EQ(sent, Announcer::kFramesPerMillisecond);
}

TEST(Announcer, DoesNotMakeUpForWhatWasMissed) {
  Polled port;
  port.announcer.set_addresses({vip("192.0.2.10", 0)}, port.now_ns);
  port.run_ms(3);
  port.now_ns = kBegin + 500 * kMs;
  port.run_ms(1000);
  EXPECT_THAT(port.rounds("192.0.2.10"), ElementsAre(0, 500, 1000));
  port.now_ns += 10 * kRefresh;
  port.run_ms(1000);
  EXPECT_EQ(port.rounds("192.0.2.10").size(), 4U);
}

TEST(Announcer, NeverAnnouncesWhatIsNotHeldWhateverHappens) {
  std::mt19937 random(1);
  Polled port(50 * kMs);
  std::vector<AnnouncedAddress> vips;
  for (int step = 0; step < 50'000; ++step) {
    switch (random() % 8) {
      case 0:
        port.held = 1 | (random() & 0xeU);
        break;
      case 1:
        port.wishes[random() % 4] = port.now_ns + random() % (20 * kMs);
        break;
      case 2: {
        vips.clear();
        for (size_t i = 0; i < 8; ++i) {
          if (random() % 2 == 0) {
            vips.push_back(vip(numbered(i), static_cast<uint8_t>(random() % 4)));
          }
        }
        port.announcer.set_addresses(vips, port.now_ns);
        break;
      }
      default:
        port.now_ns += random() % (10 * kMs);
    }
    port.sent.clear();
    port.poll();
    for (const Polled::Sent& one : port.sent) {
      ASSERT_TRUE((port.held >> index(one.what.what.lease) & 1) != 0);
      ASSERT_NE(std::find(vips.begin(), vips.end(), one.what.what), vips.end());
    }
  }
}

// ---- the frames

Frame built(const Announcement& announcement) {
  std::array<uint8_t, 128> bytes{};
  FrameBuffer frame{.data = bytes.data(), .length = 0, .capacity = bytes.size()};
  EXPECT_TRUE(build_announcement(frame, announcement));
  return {Bytes(bytes.begin(), bytes.begin() + frame.length)};
}

TEST(Announcer, SaysAnIpv4AddressAsRequestAndAsReply) {
  Polled port;
  port.announcer.set_addresses({vip("192.0.2.10", 0)}, port.now_ns);
  port.run_ms(1);
  ASSERT_EQ(port.sent.size(), 2U);
  constexpr std::string_view kBroadcast = "ff:ff:ff:ff:ff:ff";
  EXPECT_EQ(built(port.sent[0].what),
            packet()
                .ethernet(kVirtualMac4, kBroadcast)
                .arp(kArpRequest, kVirtualMac4, "192.0.2.10", "00:00:00:00:00:00", "192.0.2.10")
                .build());
  EXPECT_EQ(built(port.sent[1].what),
            packet()
                .ethernet(kVirtualMac4, kBroadcast)
                .arp(kArpReply, kVirtualMac4, "192.0.2.10", kVirtualMac4, "192.0.2.10")
                .build());
}

TEST(Announcer, SaysAnIpv6AddressAsAnUnsolicitedAdvertisement) {
  for (const uint8_t slot : {uint8_t{0}, uint8_t{1}}) {
    Polled port;
    port.held = 3;
    port.announcer.set_addresses({vip("2001:db8::10", slot)}, port.now_ns);
    port.run_ms(6);
    ASSERT_FALSE(port.sent.empty());
    Frame frame = built(port.sent[0].what);
    EXPECT_EQ(frame.wrong_checksum(), "");
    const auto flags = static_cast<uint8_t>(kNdFlagOverride | (slot == 0 ? 0 : kNdFlagRouter));
    EXPECT_EQ(frame, packet()
                         .ethernet(kVirtualMac6, "33:33:00:00:00:01")
                         .ip("2001:db8::10", "ff02::1")
                         .neighbor_advertisement("2001:db8::10", flags, kVirtualMac6)
                         .build());
  }
}

TEST(Announcer, BuildsNothingThatDoesNotFit) {
  for (const auto& announcement :
       {Announcement{vip("192.0.2.10"), AnnouncementForm::kRequest},
        Announcement{vip("192.0.2.10"), AnnouncementForm::kReply},
        Announcement{vip("2001:db8::10"), AnnouncementForm::kNeighborAdvertisement}}) {
    const size_t whole = built(announcement).size();
    for (size_t size = 0; size < whole; ++size) {
      const ExactBuffer buffer(Bytes(size, 0xaa));
      FrameBuffer frame{
          .data = buffer.data(), .length = 0, .capacity = static_cast<uint16_t>(size)};
      EXPECT_FALSE(build_announcement(frame, announcement));
      EXPECT_EQ(Bytes(buffer.data(), buffer.data() + size), Bytes(size, 0xaa));
    }
  }
}

}  // namespace
}  // namespace ballast::testing
