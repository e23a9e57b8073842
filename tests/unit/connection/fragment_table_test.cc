#include "dataplane/connection/fragment_table.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/connection/flows.h"
#include "tests/unit/connection/fragment_model.h"

namespace ballast::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr uint64_t kMillisecond = 1'000'000;
constexpr uint32_t kFour = 2;  // datagrams of one family and of the other
constexpr uint32_t kSix = 3;

std::string text_of(const FragmentAnswer& answer) {
  switch (answer.fate) {
    case FragmentFate::kPass:
      return "pass";
    case FragmentFate::kHold:
      return "hold";
    case FragmentFate::kDrop:
      return std::string(name_of(answer.reason));
  }
  return "";
}

class FragmentTableTest : public ::testing::TestWithParam<uint32_t> {
 protected:
  FragmentTable<FragmentGuest> table{kTestHashKey};
  uint64_t now = 1'000'000 * kMillisecond;
  FragmentGuest last_guest = 0;

  // What is said of a part of a datagram; the guest's number is that of the call.
  std::string admit(uint32_t datagram, uint16_t begin, uint16_t end, bool more) {
    return admit(fragment_of(datagram, {begin, end, more}), datagram);
  }
  std::string admit(const ParsedHeaders& fragment, uint32_t datagram) {
    FragmentGuest guest = ++last_guest;
    const FragmentAnswer answer = table.admit(fragment, guest, now);
    EXPECT_EQ(answer.flow,
              answer.fate == FragmentFate::kPass ? flow_of_datagram(datagram) : DatagramFlow{});
    return text_of(answer);
  }
  std::vector<FragmentGuest> ready() {
    std::vector<FragmentGuest> guests;
    table.take_ready([&](FragmentGuest guest, const DatagramFlow&) { guests.push_back(guest); });
    return guests;
  }
  std::vector<FragmentGuest> expired(DropReason expected = DropReason::kFragmentTimeout) {
    std::vector<FragmentGuest> guests;
    table.take_expired(now, [&](FragmentGuest guest, DropReason reason) {
      EXPECT_EQ(name_of(reason), name_of(expected));
      guests.push_back(guest);
    });
    return guests;
  }
  // As often as it takes to look at every record.
  void tidy() {
    for (int i = 0; i < 1000; ++i) {
      EXPECT_THAT(expired(), IsEmpty());
    }
  }
};

class FragmentsOfBothFamilies : public FragmentTableTest {};
INSTANTIATE_TEST_SUITE_P(Families, FragmentsOfBothFamilies, ::testing::Values(kFour, kSix),
                         [](const auto& datagram) {
                           return std::string(datagram.param == kFour ? "Ipv4" : "Ipv6");
                         });

TEST_P(FragmentsOfBothFamilies, PassWithThePortsOfTheFirst) {
  EXPECT_EQ(admit(GetParam(), 0, 1480, true), "pass");
  EXPECT_EQ(admit(GetParam(), 1480, 2960, true), "pass");
  EXPECT_EQ(admit(GetParam(), 2960, 3001, false), "pass");
  EXPECT_THAT(ready(), IsEmpty());
}

TEST_P(FragmentsOfBothFamilies, AreHeldUntilTheFirstComesAndGoOnInOrderOfArrival) {
  EXPECT_EQ(admit(GetParam(), 2960, 3001, false), "hold");
  EXPECT_EQ(admit(GetParam(), 1480, 2960, true), "hold");
  EXPECT_EQ(table.waiting(), 2U);
  EXPECT_THAT(ready(), IsEmpty());
  EXPECT_EQ(admit(GetParam(), 0, 1480, true), "pass");
  EXPECT_EQ(table.waiting(), 0U);
  now += 10'000 * kMillisecond;
  EXPECT_THAT(expired(), IsEmpty()) << "they are as good as gone";
  std::vector<FragmentGuest> guests;
  table.take_ready([&](FragmentGuest guest, const DatagramFlow& flow) {
    EXPECT_EQ(flow, flow_of_datagram(GetParam()));
    guests.push_back(guest);
  });
  EXPECT_THAT(guests, ElementsAre(1, 2));
  EXPECT_THAT(ready(), IsEmpty());
}

TEST_P(FragmentsOfBothFamilies, OfACompleteDatagramAreForgottenAtOnce) {
  for (int again = 0; again < 3; ++again) {
    EXPECT_EQ(admit(GetParam(), 0, 1480, true), "pass");
    EXPECT_EQ(admit(GetParam(), 2960, 3001, false), "pass");
    EXPECT_EQ(table.datagrams(), 1U);
    EXPECT_EQ(admit(GetParam(), 1480, 2960, true), "pass");
    EXPECT_EQ(table.datagrams(), 0U);
  }
  EXPECT_EQ(admit(GetParam(), 1480, 2960, true), "hold") << "ports of the former datagram";
}

TEST_P(FragmentsOfBothFamilies, ThatOverlapAnotherAreDropped) {
  EXPECT_EQ(admit(GetParam(), 0, 80, true), "pass");
  EXPECT_EQ(admit(GetParam(), 160, 240, true), "pass");
  for (uint16_t begin = 0; begin <= 240; begin = static_cast<uint16_t>(begin + 8)) {
    for (auto end = static_cast<uint16_t>(begin + 8); end <= 320;
         end = static_cast<uint16_t>(end + 8)) {
      const bool overlaps = begin < 80 || (end > 160 && begin < 240);
      if (overlaps) {
        EXPECT_EQ(admit(GetParam(), begin, end, true), "fragment_overlap") << begin << ' ' << end;
      }
    }
  }
  EXPECT_EQ(admit(GetParam(), 80, 160, true), "pass") << "what was dropped has not been seen";
}

TEST_P(FragmentsOfBothFamilies, ThatOverlapOneThatIsHeldAreDropped) {
  EXPECT_EQ(admit(GetParam(), 80, 160, true), "hold");
  EXPECT_EQ(admit(GetParam(), 80, 160, true), "fragment_overlap");
  EXPECT_EQ(admit(GetParam(), 152, 168, true), "fragment_overlap");
  EXPECT_EQ(admit(GetParam(), 0, 88, true), "fragment_overlap") << "the first is no better";
  EXPECT_EQ(admit(GetParam(), 0, 80, true), "pass");
  EXPECT_THAT(ready(), ElementsAre(1));
}

TEST_P(FragmentsOfBothFamilies, ThatSayAnotherLengthAreDropped) {
  EXPECT_EQ(admit(GetParam(), 0, 80, true), "pass");
  EXPECT_EQ(admit(GetParam(), 160, 170, false), "pass");
  EXPECT_EQ(admit(GetParam(), 176, 184, true), "fragment_overlap") << "beyond the end";
  EXPECT_EQ(admit(GetParam(), 176, 184, false), "fragment_overlap");
  EXPECT_EQ(admit(GetParam(), 80, 90, false), "fragment_overlap") << "another end";
  EXPECT_EQ(admit(GetParam(), 80, 160, false), "fragment_overlap");
  EXPECT_EQ(admit(GetParam(), 80, 160, true), "pass");
  EXPECT_EQ(table.datagrams(), 0U);
}

TEST_P(FragmentsOfBothFamilies, WaitForHalfASecond) {
  EXPECT_EQ(admit(GetParam(), 80, 160, true), "hold");
  now += 400 * kMillisecond;
  EXPECT_EQ(admit(GetParam(), 160, 240, true), "hold");
  now += 100 * kMillisecond - 1;
  EXPECT_THAT(expired(), IsEmpty());
  now += 1;
  EXPECT_THAT(expired(), ElementsAre(1));
  EXPECT_EQ(table.datagrams(), 1U);
  now += 400 * kMillisecond;
  EXPECT_THAT(expired(), ElementsAre(2));
  EXPECT_EQ(table.datagrams(), 0U) << "nobody has passed";
  EXPECT_EQ(admit(GetParam(), 0, 80, true), "pass");
  EXPECT_THAT(ready(), IsEmpty());
}

TEST_P(FragmentsOfBothFamilies, FindThePortsForTwoSeconds) {
  EXPECT_EQ(admit(GetParam(), 0, 80, true), "pass");
  now += 1999 * kMillisecond;
  EXPECT_EQ(admit(GetParam(), 80, 160, true), "pass");
  now += 1 * kMillisecond;
  EXPECT_EQ(admit(GetParam(), 160, 240, true), "hold");
}

TEST_P(FragmentsOfBothFamilies, LeaveNoRecordBehind) {
  EXPECT_EQ(admit(GetParam(), 0, 80, true), "pass");
  now += 1999 * kMillisecond;
  tidy();
  EXPECT_EQ(table.datagrams(), 1U);
  now += 1 * kMillisecond;
  tidy();
  EXPECT_EQ(table.datagrams(), 0U);
}

// RFC 4963: a fast sender has used all identifications before a record is too old.
TEST_P(FragmentsOfBothFamilies, OfANewDatagramUnderAnIdentificationInUseAreToldByTheSilenceBefore) {
  EXPECT_EQ(admit(GetParam(), 0, 80, true), "pass");
  now += 300 * kMillisecond;
  EXPECT_EQ(admit(GetParam(), 80, 160, true), "pass");
  now += 499 * kMillisecond;
  EXPECT_EQ(admit(GetParam(), 0, 80, true), "fragment_overlap") << "a duplicate";
  now += 1 * kMillisecond;
  EXPECT_EQ(admit(GetParam(), 80, 160, true), "fragment_overlap") << "no first fragment";
  EXPECT_EQ(admit(GetParam(), 0, 80, true), "pass");
  EXPECT_EQ(admit(GetParam(), 80, 160, true), "pass") << "nothing of the former one is left";
  now += 1999 * kMillisecond;
  EXPECT_EQ(admit(GetParam(), 160, 170, false), "pass") << "it has two seconds of its own";
  EXPECT_EQ(table.datagrams(), 0U);
}

TEST_P(FragmentsOfBothFamilies, OfANewDatagramEndTheWaitingOfTheFormerOnes) {
  EXPECT_EQ(admit(GetParam(), 40, 80, true), "hold");
  now += 500 * kMillisecond;
  EXPECT_EQ(admit(GetParam(), 0, 80, true), "pass");
  EXPECT_THAT(ready(), IsEmpty());
  EXPECT_THAT(expired(), ElementsAre(1));
}

TEST_P(FragmentsOfBothFamilies, AreHeldToTheNumberOfSixteen) {
  for (uint16_t i = 1; i <= 16; ++i) {
    EXPECT_EQ(
        admit(GetParam(), static_cast<uint16_t>(8 * i), static_cast<uint16_t>(8 * i + 8), true),
        "hold");
  }
  EXPECT_EQ(admit(GetParam(), 8 * 17, 8 * 18, true), "fragment_room");
  EXPECT_EQ(admit(GetParam(), 0, 8, true), "pass");
  EXPECT_THAT(ready(), SizeIs(16));
  EXPECT_EQ(admit(GetParam(), 8 * 17, 8 * 18, false), "pass");
  EXPECT_EQ(table.datagrams(), 0U);
}

TEST_P(FragmentsOfBothFamilies, WithTooManyGapsAreRefusedAndTheFirstNever) {
  for (uint16_t i = 1; i <= 15; ++i) {
    EXPECT_EQ(
        admit(GetParam(), static_cast<uint16_t>(16 * i), static_cast<uint16_t>(16 * i + 8), true),
        "hold");
  }
  EXPECT_EQ(admit(GetParam(), 16 * 16, 16 * 16 + 8, true), "fragment_room");
  EXPECT_EQ(admit(GetParam(), 0, 8, true), "pass");
  EXPECT_THAT(ready(), SizeIs(15));
  EXPECT_EQ(admit(GetParam(), 16 * 16, 16 * 16 + 8, true), "fragment_room");
  EXPECT_EQ(admit(GetParam(), 8, 16, true), "pass") << "fills a gap";
  EXPECT_EQ(admit(GetParam(), 16 * 16, 16 * 16 + 8, true), "pass");
}

TEST_P(FragmentsOfBothFamilies, ReachTheLastByteThatADatagramCanHave) {
  EXPECT_EQ(admit(GetParam(), 0, 65'504, true), "pass");
  EXPECT_EQ(admit(GetParam(), 65'504, 65'512, true), "pass");
  EXPECT_EQ(admit(GetParam(), 65'512, 65'515, false), "pass");
  EXPECT_EQ(table.datagrams(), 0U);
}

TEST_F(FragmentTableTest, TellsDatagramsApartByTheWholeKey) {
  const ParsedHeaders later = fragment_of(kFour, {80, 160, true});
  EXPECT_EQ(admit(kFour, 0, 80, true), "pass");
  std::vector<ParsedHeaders> others(4, later);
  others[0].source = IpAddress::v4({198, 51, 100, 99});
  others[1].destination = IpAddress::v4({192, 0, 2, 99});
  others[2].fragment_id ^= 0x8000;
  others[3].protocol = IpProtocol::kTcp;
  for (const ParsedHeaders& other : others) {
    EXPECT_EQ(admit(other, 0), "hold");
  }
  EXPECT_EQ(admit(later, kFour), "pass");
}

TEST_F(FragmentTableTest, KnowsAnIpv6DatagramWhateverProtocolItsLaterFragmentsName) {
  ParsedHeaders later = fragment_of(kSix, {80, 160, true});
  later.protocol = IpProtocol::kDestinationOptions;
  EXPECT_EQ(admit(kSix, 0, 80, true), "pass");
  EXPECT_EQ(admit(later, kSix), "pass");  // with the first one's protocol
}

TEST_F(FragmentTableTest, DropsWhoHasWaitedLongestWhenAllRoomsAreTaken) {
  for (uint32_t i = 0; i < 256; ++i) {
    EXPECT_EQ(admit(1000 + i, 80, 160, true), "hold");
  }
  for (uint32_t i = 0; i < 300; ++i) {
    FragmentGuest guest = 1000 + i;
    const FragmentAnswer answer =
        table.admit(fragment_of(5000 + i, {80, 160, true}), guest, now + i);
    EXPECT_EQ(text_of(answer), "fragment_room");
    EXPECT_EQ(guest, i < 256 ? i + 1 : 1000 + i - 256) << "another one goes";
    EXPECT_EQ(table.waiting(), 256U);
    EXPECT_EQ(table.datagrams(), 256U) << "and with it its datagram";
  }
  EXPECT_EQ(admit(5299, 0, 80, true), "pass");
  EXPECT_THAT(ready(), ElementsAre(1299));
}

TEST_F(FragmentTableTest, DropsWhoHasWaitedLongestForAnotherOfTheSameDatagram) {
  EXPECT_EQ(admit(7, 80, 160, true), "hold");
  for (uint32_t i = 1; i < 256; ++i) {
    EXPECT_EQ(admit(1000 + i, 80, 160, true), "hold");
  }
  FragmentGuest guest = 4711;
  EXPECT_EQ(text_of(table.admit(fragment_of(7, {160, 240, true}), guest, now)), "fragment_room");
  EXPECT_EQ(guest, 1U);
  EXPECT_EQ(table.datagrams(), 256U);
  EXPECT_EQ(admit(7, 0, 80, true), "pass");
  EXPECT_THAT(ready(), ElementsAre(4711));
}

TEST_F(FragmentTableTest, RefusesWhoComesWhileAllAreAboutToLeave) {
  for (uint32_t i = 0; i < 16; ++i) {
    for (uint16_t part = 1; part <= 16; ++part) {
      admit(1000 + i, static_cast<uint16_t>(8 * part), static_cast<uint16_t>(8 * part + 8), true);
    }
    EXPECT_EQ(admit(1000 + i, 0, 8, true), "pass");
  }
  EXPECT_EQ(admit(2000, 80, 160, true), "fragment_room");
  EXPECT_THAT(ready(), SizeIs(256));
  EXPECT_EQ(admit(2000, 80, 160, true), "hold");
}

// In a flood the younger records live on, and the oldest in each set ends.
TEST_F(FragmentTableTest, KeepsTheYoungestInAFloodOfDatagrams) {
  uint32_t lost = 0;
  for (uint32_t number = 0; number < 1'000'000; ++number) {
    ASSERT_EQ(admit(number, 0, 80, true), "pass");
    ASSERT_LE(table.datagrams(), FragmentRecords::kDatagrams);
    if (number >= 1000) {
      const uint32_t earlier = number - 1000;
      FragmentGuest guest = 0;
      const FragmentAnswer answer = table.admit(fragment_of(earlier, {80, 160, false}), guest, now);
      lost += answer.fate != FragmentFate::kPass ? 1 : 0;
    }
    now += 1000;
  }
  EXPECT_LT(lost, 10'000U) << "of a million, a thousand being under way at a time";
}

TEST_F(FragmentTableTest, LetsThroughAnHonestDatagramOutOfOrderInAFloodOfLaterFragments) {
  uint32_t flood = 1'000'000;
  const auto flood_on = [&] {
    for (int i = 0; i < 100; ++i) {
      admit(++flood, 80, 160, true);
      EXPECT_LE(table.waiting(), FragmentRecords::kRooms);
    }
  };
  for (uint32_t datagram = 0; datagram < 1000; ++datagram) {
    flood_on();
    FragmentGuest guest = 7'000'000 + datagram;
    table.admit(fragment_of(datagram, {80, 160, false}), guest, now);
    flood_on();
    EXPECT_EQ(admit(datagram, 0, 80, true), "pass");
    EXPECT_THAT(ready(), ElementsAre(7'000'000 + datagram));
    now += kMillisecond;
  }
}

TEST_F(FragmentTableTest, TellsWhoseDatagramWasPushedOutByOthers) {
  for (uint32_t number = 0; number < 100; ++number) {
    EXPECT_EQ(admit(number, 80, 160, true), "hold");
  }
  for (uint32_t number = 1000; number < 200'000; ++number) {
    EXPECT_EQ(admit(number, 0, 80, true), "pass");
  }
  EXPECT_EQ(table.waiting(), 0U);
  std::vector<FragmentGuest> gone = expired(DropReason::kFragmentRoom);
  std::sort(gone.begin(), gone.end());
  std::vector<FragmentGuest> all(100);
  std::iota(all.begin(), all.end(), 1U);
  EXPECT_EQ(gone, all);
}

TEST_F(FragmentTableTest, GivesBackAllGuestsAtTheEnd) {
  EXPECT_EQ(admit(kFour, 80, 160, true), "hold");
  EXPECT_EQ(admit(kSix, 80, 160, true), "hold");
  EXPECT_EQ(admit(kSix, 0, 80, true), "pass");
  std::vector<FragmentGuest> guests;
  table.drain([&](FragmentGuest guest) { guests.push_back(guest); });
  EXPECT_THAT(guests, ::testing::UnorderedElementsAre(1, 2));
  table.drain([&](FragmentGuest guest) { ADD_FAILURE() << guest; });
  EXPECT_EQ(admit(kFour, 80, 160, true), "hold") << "and goes on, if it must";
}

// Counts what is taken and given back.
class CountingMemory final : public TableMemory {
 public:
  void* allocate(size_t bytes) override {
    ++blocks;
    taken += bytes;
    return process_memory().allocate(bytes);
  }
  void free(void* memory) override {
    --blocks;
    process_memory().free(memory);
  }
  int blocks = 0;
  size_t taken = 0;
};

TEST(FragmentTableMemory, IsTakenOnceAndGivenBack) {
  CountingMemory memory;
  {
    FragmentTable<FragmentGuest> table(kTestHashKey, memory);
    const size_t at_start = memory.taken;
    EXPECT_EQ(at_start, table.memory_bytes());
    EXPECT_LT(at_start, 600'000U);
    for (uint32_t number = 0; number < 20'000; ++number) {
      FragmentGuest guest = number;
      table.admit(fragment_of(number, {80, 160, number % 3 == 0}), guest, number * kMillisecond);
    }
    EXPECT_EQ(memory.taken, at_start);
  }
  EXPECT_EQ(memory.blocks, 0);
}

}  // namespace
}  // namespace ballast::testing
