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

TEST(LeasePage, IsSharedByBothSidesAndReadableByItsOwnerOnly) {
  const TemporaryFolder folder;
  const auto dataplane = LeasePageMapping::create(folder.file("leases"));
  ASSERT_TRUE(dataplane) << dataplane.error();
  struct stat status {};
  ASSERT_EQ(stat(folder.file("leases").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  const auto control = LeasePageMapping::open(folder.file("leases"));
  ASSERT_TRUE(control) << control.error();
  EXPECT_EQ(dataplane->page().held(1), 1U) << "only slot 0, which never ends";
  control->page().deadline_ns[5].store(1000);
  EXPECT_EQ(dataplane->page().held(999), 1U | 1U << 5);
  EXPECT_EQ(dataplane->page().held(1000), 1U);
  dataplane->page().worker_heartbeat[3].store(7);
  EXPECT_EQ(control->page().worker_heartbeat[3].load(), 7U);
}

TEST(LeasePage, OfAFormerProcessCannotRenewALeaseOfTheNext) {
  const TemporaryFolder folder;
  const auto first = LeasePageMapping::create(folder.file("leases"));
  const auto stale = LeasePageMapping::open(folder.file("leases"));
  const auto second = LeasePageMapping::create(folder.file("leases"));
  ASSERT_TRUE(first && stale && second);
  stale->page().deadline_ns[1].store(UINT64_MAX);
  EXPECT_EQ(second->page().held(1), 1U);
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
