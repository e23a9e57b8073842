#include "control/daemon/local_port_drops.h"

#include <gtest/gtest.h>

namespace ballast::control {
namespace {

using namespace std::chrono_literals;

ballast::api::Statistics reading(uint64_t exhausted, uint64_t no_room) {
  ballast::api::Statistics statistics;
  for (const auto& [reason, packets] : {std::pair<const char*, uint64_t>{"no_route", 99},
                                        {"local_ports_exhausted", exhausted},
                                        {"local_ports_memory", no_room}}) {
    ballast::api::DropCount& drop = *statistics.add_drops();
    drop.set_reason(reason);
    drop.set_packets(packets);
  }
  return statistics;
}

const LocalPortDrops::Time kStart{1h};

api::LocalPortStatus status(const LocalPortDrops& drops, LocalPortDrops::Time now) {
  api::LocalPortStatus status;
  drops.fill(now, status);
  return status;
}

TEST(LocalPortDrops, AreToldFromTheReadingOnThatHasMore) {
  LocalPortDrops drops;
  EXPECT_EQ(status(drops, kStart).exhausted_drops(), 0U);
  drops.read(reading(7, 0), kStart);
  EXPECT_EQ(status(drops, kStart).exhausted_drops(), 7U);
  EXPECT_FALSE(status(drops, kStart).has_exhausted_seconds_ago()) << "nobody knows when";
  drops.read(reading(9, 0), kStart + 2s);
  EXPECT_EQ(status(drops, kStart + 2s).exhausted_drops(), 9U);
  EXPECT_EQ(status(drops, kStart + 2s).exhausted_seconds_ago(), 0U);
  drops.read(reading(9, 1), kStart + 4s);
  EXPECT_EQ(status(drops, kStart + 5s).exhausted_seconds_ago(), 3U);
  EXPECT_EQ(status(drops, kStart + 5s).no_room_drops(), 1U);
  EXPECT_EQ(status(drops, kStart + 5s).no_room_seconds_ago(), 1U);
}

TEST(LocalPortDrops, OfAnotherDataplaneAreNoneUntilTheyGrow) {
  LocalPortDrops drops;
  drops.read(reading(7, 0), kStart);
  drops.read(reading(9, 0), kStart + 2s);
  drops.read(reading(3, 0), kStart + 4s);
  EXPECT_FALSE(status(drops, kStart + 4s).has_exhausted_seconds_ago());
  drops.read(reading(4, 0), kStart + 6s);
  EXPECT_TRUE(status(drops, kStart + 6s).has_exhausted_seconds_ago());
  drops.forget();
  EXPECT_FALSE(status(drops, kStart + 6s).has_exhausted_seconds_ago());
  EXPECT_EQ(status(drops, kStart + 6s).exhausted_drops(), 0U);
}

}  // namespace
}  // namespace ballast::control
