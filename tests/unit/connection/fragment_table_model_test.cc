// Random fragments in random order, at random times: the table answers as a slow model does.
#include <algorithm>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/connection/flows.h"
#include "tests/unit/connection/fragment_model.h"

namespace ballast::testing {
namespace {

class Chance {
 public:
  explicit Chance(uint64_t seed) : random_(seed) {}
  uint32_t below(uint32_t limit) { return static_cast<uint32_t>(random_() % limit); }
  bool one_in(uint32_t n) { return below(n) == 0; }
  template <typename T>
  void shuffle(std::vector<T>& all) {
    std::shuffle(all.begin(), all.end(), random_);
  }

 private:
  std::mt19937_64 random_;
};

// Any part of a small datagram, so that parts meet in every way.
Part any_part(Chance& chance, uint32_t units) {
  const uint32_t begin = 8 * chance.below(units);
  const uint32_t length = 8 * (1 + chance.below(3));
  const bool more = begin == 0 || !chance.one_in(8);
  const uint32_t end = begin + length - (more ? 0 : chance.below(8));
  return {static_cast<uint16_t>(begin), static_cast<uint16_t>(end), more};
}

// A datagram cut into parts, all there, in order.
std::vector<Part> cut(Chance& chance) {
  std::vector<Part> parts;
  uint16_t begin = 0;
  const uint32_t count = 2 + chance.below(chance.one_in(4) ? 44 : 6);
  for (uint32_t i = 0; i < count; ++i) {
    const bool more = i + 1 < count;
    const auto end =
        static_cast<uint16_t>(begin + 8 * (1 + chance.below(4)) - (more ? 0 : chance.below(8)));
    parts.push_back({begin, end, more});
    begin = end;
  }
  return parts;
}

struct Event {
  uint32_t datagram;
  Part part;
};

// Steps of time from nothing to more than any limit; most are short.
uint64_t step_ns(Chance& chance) {
  if (chance.one_in(400)) {
    return chance.below(2500) * uint64_t{1'000'000};
  }
  return chance.one_in(10) ? chance.below(40'000'000) : chance.below(300'000);
}

void play(const std::vector<Event>& events, Chance& chance) {
  FragmentDuel duel(kTestHashKey);
  uint64_t now_ns = 1'000'000'000'000;
  for (size_t i = 0; i < events.size(); ++i) {
    now_ns += step_ns(chance);
    ASSERT_EQ(duel.admit(events[i].datagram, events[i].part, now_ns), "") << "event " << i;
    if (chance.one_in(30)) {
      ASSERT_EQ(duel.take_ready(), "") << "after event " << i;
    }
    if (chance.one_in(30)) {
      ASSERT_EQ(duel.take_expired(now_ns), "") << "after event " << i;
    }
  }
  ASSERT_EQ(duel.drain(), "");
}

TEST(FragmentTableModel, AgreesOnAnyPartsOfFewDatagrams) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    Chance chance(seed);
    std::vector<Event> events(2000);
    for (Event& event : events) {
      event = {chance.below(8), any_part(chance, seed % 2 == 0 ? 8 : 80)};
    }
    ASSERT_NO_FATAL_FAILURE(play(events, chance)) << "seed " << seed;
  }
}

TEST(FragmentTableModel, AgreesWhenEveryRoomIsTaken) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Chance chance(seed);
    std::vector<Event> events(4000);
    for (Event& event : events) {
      event = {chance.below(48), any_part(chance, 200)};
      if (event.part.begin == 0 && !chance.one_in(4)) {
        event.part.begin = 8 * 250;
        event.part.end = 8 * 251;
      }
    }
    ASSERT_NO_FATAL_FAILURE(play(events, chance)) << "seed " << seed;
  }
}

TEST(FragmentTableModel, AgreesOnDatagramsOutOfOrderWithLossesAndDuplicates) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    Chance chance(seed);
    std::vector<Event> events;
    while (events.size() < 3000) {
      std::vector<Event> batch;
      for (uint32_t i = 0; i < 6; ++i) {
        const uint32_t datagram = chance.below(32);
        for (const Part& part : cut(chance)) {
          if (!chance.one_in(40)) {
            batch.push_back({datagram, part});
          }
          if (chance.one_in(40)) {
            batch.push_back({datagram, part});
          }
        }
      }
      chance.shuffle(batch);
      events.insert(events.end(), batch.begin(), batch.end());
    }
    ASSERT_NO_FATAL_FAILURE(play(events, chance)) << "seed " << seed;
  }
}

// What passes of a datagram, put together as a host does, is the datagram, whatever the order.
TEST(FragmentTableModel, LetsThroughEveryByteOnceWhateverTheOrder) {
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    Chance chance(seed);
    FragmentTable<FragmentGuest> table(kTestHashKey);
    std::vector<Part> parts = cut(chance);
    parts.resize(std::min<size_t>(parts.size(), 16));
    parts.back().more = false;
    const uint16_t total = parts.back().end;
    chance.shuffle(parts);
    const auto datagram = static_cast<uint32_t>(seed);
    std::vector<int> passed(total);
    const auto pass = [&](const Part& part) {
      for (size_t byte = part.begin; byte < part.end; ++byte) {
        ++passed[byte];
      }
    };
    for (uint32_t i = 0; i < parts.size(); ++i) {
      FragmentGuest guest = i;
      if (table.admit(fragment_of(datagram, parts[i]), guest, 1'000'000'000).fate ==
          FragmentFate::kPass) {
        pass(parts[i]);
      }
    }
    table.take_ready([&](FragmentGuest guest, const DatagramFlow& flow) {
      EXPECT_EQ(flow, flow_of_datagram(datagram));
      pass(parts[guest]);
    });
    ASSERT_EQ(std::count(passed.begin(), passed.end(), 1), total) << "seed " << seed;
    EXPECT_EQ(table.datagrams(), 0U);
    EXPECT_EQ(table.waiting(), 0U);
  }
}

}  // namespace
}  // namespace ballast::testing
