#include "dataplane/api/lease_page.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/unit/api/temporary_folder.h"

namespace ballast {
namespace {

using test::TemporaryFolder;
using testing::HasSubstr;

constexpr LeaseMasks kSlot0Only{1, 1};

TEST(LeasePage, IsSharedByBothSidesAndReadableByItsOwnerOnly) {
  const TemporaryFolder folder;
  const auto dataplane = LeasePageMapping::create(folder.file("leases"));
  ASSERT_TRUE(dataplane) << dataplane.error();
  struct stat status {};
  ASSERT_EQ(stat(folder.file("leases").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  const auto control = LeasePageMapping::open(folder.file("leases"));
  ASSERT_TRUE(control) << control.error();
  EXPECT_EQ(dataplane->page().masks(1), kSlot0Only);
  control->page().forward_until_ns[5].store(1000);
  EXPECT_EQ(dataplane->page().masks(999).forwarding, 1U | 1U << 5);
  dataplane->page().worker_alive_ns[3].store(7);
  dataplane->page().twin_transmitted[kMaxPorts - 1].store(8);
  EXPECT_EQ(control->page().worker_alive_ns[3].load(), 7U);
  EXPECT_EQ(control->page().twin_transmitted[kMaxPorts - 1].load(), 8U);
}

TEST(LeasePage, ForwardsAndAnswersUntilTheDeadlineOfEachAndAnswersNotWithoutForwarding) {
  for (const size_t slot : {size_t{1}, size_t{31}, size_t{32}, kLeaseSlots - 1}) {
    for (const uint64_t forward : {0, 999, 1000, 1001, 5000}) {
      for (const uint64_t answer : {0, 999, 1000, 1001, 5000}) {
        LeasePage page{};
        page.hold_forever(0);
        page.forward_until_ns[slot].store(forward);
        page.answer_until_ns[slot].store(answer);
        const uint64_t bit = uint64_t{1} << slot;
        EXPECT_EQ(page.masks(1000), (LeaseMasks{1 | (forward > 1000 ? bit : 0),
                                                1 | (forward > 1000 && answer > 1000 ? bit : 0)}))
            << forward << " " << answer;
        EXPECT_EQ(page.masks(1000, slot), kSlot0Only) << "no VIP is in this slot";
      }
    }
  }
}

TEST(LeasePage, LosesEachGradeByOneStore) {
  LeasePage page{};
  page.hold_forever(3);
  EXPECT_EQ(page.masks(1000), (LeaseMasks{8, 8}));
  page.answer_until_ns[3].store(0);
  EXPECT_EQ(page.masks(1000), (LeaseMasks{8, 0}));
  page.hold_forever(3);
  page.forward_until_ns[3].store(0);
  EXPECT_EQ(page.masks(1000), (LeaseMasks{0, 0}));
}

TEST(LeasePage, NeverEndsInSlot0AndHasEndedInAllOthers) {
  const TemporaryFolder folder;
  const auto mapping = LeasePageMapping::create(folder.file("leases"));
  ASSERT_TRUE(mapping);
  for (const uint64_t now : {uint64_t{0}, uint64_t{1}, kLeaseNeverEnds - 1}) {
    EXPECT_EQ(mapping->page().masks(now), kSlot0Only);
  }
}

TEST(LeasePage, OfAFormerProcessCannotRenewALeaseOfTheNext) {
  const TemporaryFolder folder;
  const auto first = LeasePageMapping::create(folder.file("leases"));
  const auto stale = LeasePageMapping::open(folder.file("leases"));
  const auto second = LeasePageMapping::create(folder.file("leases"));
  ASSERT_TRUE(first && stale && second);
  stale->page().hold_forever(1);
  EXPECT_EQ(second->page().masks(1), kSlot0Only);
}

TEST(LeasePage, SaysWhatIsWrongWithAFile) {
  const TemporaryFolder folder;
  const std::string path = folder.file("leases");
  EXPECT_THAT(LeasePageMapping::open(path).error(),
              HasSubstr(path + ": cannot be opened: No such"));
  EXPECT_THAT(LeasePageMapping::create(folder.file("no/leases")).error(),
              HasSubstr("cannot be created"));
  std::ofstream(path) << "short";
  EXPECT_THAT(LeasePageMapping::open(path).error(), HasSubstr("has 5 bytes"));
  std::ofstream(path) << std::string(sizeof(LeasePage), 'x');
  EXPECT_THAT(LeasePageMapping::open(path).error(), HasSubstr("begins with 0x7878787878787878"));
  std::filesystem::remove(path);
  std::filesystem::create_directory(path);
  EXPECT_FALSE(LeasePageMapping::open(path));
}

}  // namespace
}  // namespace ballast
