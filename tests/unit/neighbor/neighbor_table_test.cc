#include "dataplane/neighbor/neighbor_table.h"

#include <atomic>
#include <set>
#include <thread>

#include <gtest/gtest.h>

namespace ballast {
namespace {

constexpr PortIndex kPort{0};

IpAddress host(uint8_t last) {
  return IpAddress::v4({10, 0, 0, last});
}

TEST(NeighborTable, GivesAnAddressOneIndexAndKeepsIt) {
  NeighborTable table(10);
  const NeighborIndex first = table.intern(kPort, host(1));
  EXPECT_NE(first, kNoNeighbor);
  EXPECT_EQ(table.intern(kPort, host(1)), first);
  EXPECT_EQ(table.find(kPort, host(1)), first);
  EXPECT_EQ(table.key_of(first), NeighborTable::Key(kPort, host(1)));
  EXPECT_NE(table.intern(PortIndex{1}, host(1)), first)
      << "the same address behind another port is another host";
  EXPECT_EQ(table.find(kPort, host(2)), kNoNeighbor);
  EXPECT_EQ(table.size(), 2U);
}

TEST(NeighborTable, RefusesBeyondItsCapacity) {
  NeighborTable table(3);
  std::set<NeighborIndex> given;
  for (uint8_t i = 0; i < 3; ++i) {
    given.insert(table.intern(kPort, host(i)));
  }
  EXPECT_EQ(given.size(), 3U);
  EXPECT_FALSE(given.contains(kNoNeighbor));
  EXPECT_EQ(table.intern(kPort, host(9)), kNoNeighbor);
  EXPECT_EQ(table.size(), 3U);
  EXPECT_NE(table.intern(kPort, host(2)), kNoNeighbor) << "known ones are still given";
}

TEST(NeighborTable, ForgetsWhatIsReleased) {
  NeighborTable table(1);
  const NeighborIndex first = table.intern(kPort, host(1));
  table.set(first, {MacAddress({2, 0, 0, 0, 0, 1}), NeighborState::kReachable});
  table.release(first);
  EXPECT_EQ(table.find(kPort, host(1)), kNoNeighbor);
  EXPECT_EQ(table.size(), 0U);
  const NeighborIndex second = table.intern(kPort, host(2));
  ASSERT_NE(second, kNoNeighbor);
  EXPECT_EQ(table.get(second).state, NeighborState::kUnknown);
  EXPECT_TRUE(table.get(second).mac.is_zero());
}

TEST(NeighborTable, ReturnsWhatWasSet) {
  NeighborTable table(2);
  const NeighborIndex neighbor = table.intern(kPort, host(1));
  EXPECT_EQ(table.get(neighbor).state, NeighborState::kUnknown);
  for (const auto state : {NeighborState::kReachable, NeighborState::kFailed, NeighborState::kOurs,
                           NeighborState::kUnknown}) {
    const MacAddress mac({0xff, 0xfe, 0xfd, 0xfc, 0xfb, static_cast<uint8_t>(state)});
    table.set(neighbor, {mac, state});
    EXPECT_EQ(table.get(neighbor).state, state);
    EXPECT_EQ(table.get(neighbor).mac, mac);
  }
  EXPECT_EQ(table.get(kNoNeighbor).state, NeighborState::kUnknown);
}

TEST(NeighborTable, ReadersSeeWholeMacsWhileTheyChange) {
  NeighborTable table(1);
  const NeighborIndex neighbor = table.intern(kPort, host(1));
  table.set(neighbor, {MacAddress({1, 1, 1, 1, 1, 1}), NeighborState::kReachable});
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> torn{0};
  std::thread reader([&] {
    while (!stop.load()) {
      const auto bytes = table.get(neighbor).mac.bytes();
      torn += std::set(bytes.begin(), bytes.end()).size() == 1 ? 0 : 1;
    }
  });
  for (uint32_t i = 0; i < 100000; ++i) {
    const auto byte = static_cast<uint8_t>(i);
    table.set(neighbor,
              {MacAddress({byte, byte, byte, byte, byte, byte}), NeighborState::kReachable});
  }
  stop = true;
  reader.join();
  EXPECT_EQ(torn, 0U);
}

}  // namespace
}  // namespace ballast
