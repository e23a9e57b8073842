#include "control/netlink/neighbor_memory.h"

#include <random>

#include <gmock/gmock.h>

namespace ballast::netlink {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const NextHop kServer{"lan", IpAddress::v4({10, 0, 0, 11})};
const MacAddress kMac({2, 0, 0, 0, 0, 1});
const MacAddress kOtherMac({2, 0, 0, 0, 0, 2});

KernelNeighbor known(const MacAddress& mac, bool stale = false) {
  return {mac, NeighborState::kKnown, stale};
}
const KernelNeighbor kAsking{};
const KernelNeighbor kFailedEntry{{}, NeighborState::kFailed, false};

RememberedNeighbor remembered(const NeighborMemory& memory) {
  const auto found = memory.neighbors().find(kServer);
  return found == memory.neighbors().end() ? RememberedNeighbor{} : found->second;
}
const RememberedNeighbor kKnown{kMac, NeighborState::kKnown};

class NeighborMemoryTest : public testing::Test {
 protected:
  void see(const KernelNeighbor& seen) { memory_.observe(kServer, &seen); }
  void see_deleted() { memory_.observe(kServer, nullptr); }

  NeighborMemory memory_;
};

TEST_F(NeighborMemoryTest, AStaleMacIsAsGoodAsAFreshOne) {
  see(known(kMac));
  const auto stale = known(kMac, true);
  EXPECT_FALSE(memory_.observe(kServer, &stale));
  EXPECT_EQ(remembered(memory_), kKnown);
}

TEST_F(NeighborMemoryTest, ANewMacReplacesTheOldOne) {
  see(known(kMac));
  see(known(kOtherMac));
  EXPECT_EQ(remembered(memory_).mac, kOtherMac);
}

TEST_F(NeighborMemoryTest, AKnownMacIsUsedWhileTheKernelAsksAgain) {
  see(known(kMac));
  see(kAsking);
  EXPECT_EQ(remembered(memory_), kKnown);
}

TEST_F(NeighborMemoryTest, FailedTakesTheMacAwayAndAskingAgainDoesNotBringItBack) {
  see(known(kMac));
  see(kFailedEntry);
  EXPECT_EQ(remembered(memory_), (RememberedNeighbor{{}, NeighborState::kFailed}));
  see(kAsking);
  EXPECT_EQ(remembered(memory_).state, NeighborState::kFailed);
  see(known(kMac));
  EXPECT_EQ(remembered(memory_), kKnown);
}

TEST_F(NeighborMemoryTest, ADeletedEntryIsForgottenUnlessItIsToBeKept) {
  see(known(kMac));
  see_deleted();
  EXPECT_THAT(memory_.neighbors(), IsEmpty());
  memory_.keep({kServer});
  see(known(kMac));
  see_deleted();
  EXPECT_EQ(remembered(memory_), kKnown);
  see(kAsking);
  EXPECT_EQ(remembered(memory_), kKnown);
  see(kFailedEntry);
  EXPECT_EQ(remembered(memory_).state, NeighborState::kFailed);
}

TEST_F(NeighborMemoryTest, ADeletedFailureIsForgottenEvenIfToBeKept) {
  memory_.keep({kServer});
  see(kFailedEntry);
  see_deleted();
  EXPECT_THAT(memory_.neighbors(), IsEmpty());
}

TEST_F(NeighborMemoryTest, WhatIsNoLongerToBeKeptIsForgottenOnlyIfTheKernelHasNoEntry) {
  memory_.keep({kServer});
  see(known(kMac));
  EXPECT_THAT(memory_.keep({}), IsEmpty());
  EXPECT_EQ(remembered(memory_), kKnown);
  memory_.keep({kServer});
  see_deleted();
  EXPECT_THAT(memory_.keep({}), ElementsAre(kServer));
  EXPECT_THAT(memory_.neighbors(), IsEmpty());
}

TEST_F(NeighborMemoryTest, ATwinThatIsMadeAnewKeepsItsServers) {
  KernelState state;
  state.links[5] = {.index = 5, .name = "lan"};
  state.neighbors[{5, kServer.address}] = known(kMac);
  memory_.keep({kServer});
  KernelChanges everything;
  everything.everything = true;
  EXPECT_THAT(memory_.follow(state, everything, {"lan"}), ElementsAre(kServer));
  KernelChanges links;
  links.links = true;
  EXPECT_THAT(memory_.follow(KernelState{}, links, {"lan"}), IsEmpty());
  EXPECT_EQ(remembered(memory_), kKnown);
  KernelState anew;
  anew.links[9] = {.index = 9, .name = "lan"};
  anew.neighbors[{9, kServer.address}] = kFailedEntry;
  KernelChanges one;
  one.neighbors = {{9, kServer.address}};
  EXPECT_THAT(memory_.follow(anew, one, {"lan"}), ElementsAre(kServer));
  EXPECT_EQ(remembered(memory_).state, NeighborState::kFailed);
}

TEST_F(NeighborMemoryTest, OtherLinksAreNotFollowed) {
  KernelState state;
  state.links[1] = {.index = 1, .name = "eth0"};
  state.neighbors[{1, kServer.address}] = known(kMac);
  KernelChanges changes;
  changes.neighbors = {{1, kServer.address}};
  EXPECT_THAT(memory_.follow(state, changes, {"lan"}), IsEmpty());
  changes.everything = true;
  EXPECT_THAT(memory_.follow(state, changes, {"lan"}), IsEmpty());
}

// The rule in one sentence, over random histories: once known and kept, a MAC is used until another
// one or FAILED is seen.
TEST_F(NeighborMemoryTest, AKnownMacIsUsedUntilItIsReplacedOrFailed) {
  std::mt19937 random(1);
  memory_.keep({kServer});
  RememberedNeighbor expected;
  for (int i = 0; i < 10000; ++i) {
    switch (random() % 5) {
      case 0:
        see(known(kMac, random() % 2 == 0));
        expected = kKnown;
        break;
      case 1:
        see(known(kOtherMac));
        expected = {kOtherMac, NeighborState::kKnown};
        break;
      case 2:
        see(kFailedEntry);
        expected = {{}, NeighborState::kFailed};
        break;
      case 3:
        see(kAsking);
        break;
      default:
        see_deleted();
        if (expected.state == NeighborState::kFailed) {
          expected = {};
        }
    }
    ASSERT_EQ(remembered(memory_), expected) << "after step " << i;
  }
}

TEST(NeighborMemory, KeepsWhatItAdoptedUntilTheKernelKnowsBetter) {
  const NextHop hop{"wan", *IpAddress::parse("10.0.0.11")};
  const MacAddress mac = *MacAddress::parse("02:00:00:00:00:11");
  const MacAddress other = *MacAddress::parse("02:00:00:00:00:12");
  NeighborMemory memory;
  memory.adopt(hop, mac);
  EXPECT_TRUE(memory.keep({hop}).empty());
  const KernelNeighbor asking{MacAddress(), NeighborState::kUnknown, false};
  EXPECT_FALSE(memory.observe(hop, &asking)) << "that the kernel is asking takes nothing away";
  EXPECT_EQ(memory.neighbors().at(hop).mac, mac);
  const KernelNeighbor known{other, NeighborState::kKnown, false};
  EXPECT_TRUE(memory.observe(hop, &known));
  memory.adopt(hop, mac);
  EXPECT_EQ(memory.neighbors().at(hop).mac, other) << "what the kernel says is newer";
}

TEST(NeighborMemory, ForgetsWhatItAdoptedAndNobodyKeeps) {
  const NextHop hop{"wan", *IpAddress::parse("10.0.0.11")};
  NeighborMemory memory;
  memory.adopt(hop, *MacAddress::parse("02:00:00:00:00:11"));
  EXPECT_EQ(memory.keep({}), std::set<NextHop>{hop});
  EXPECT_TRUE(memory.neighbors().empty());
}

}  // namespace
}  // namespace ballast::netlink
