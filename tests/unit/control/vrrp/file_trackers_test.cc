#include "control/vrrp/file_trackers.h"

#include <atomic>
#include <cerrno>
#include <memory>
#include <thread>

#include <gmock/gmock.h>

#include "tests/unit/control/vrrp/program_fixture.h"

namespace ballast::control {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class FileTrackersRun : public ProgramTest {
 protected:
  FileTrackersRun() { begin(); }

  void begin(FileTrackers::Look look = nullptr) {
    trackers_ = std::make_unique<FileTrackers>(
        loop_,
        [this](const std::string& key, const std::string& name, bool is_good,
               const std::string& text) {
          told_.push_back(key + " " + name + (is_good ? " up: " : " down: ") + text);
          on_result_();
        },
        [this](const std::string& text) { warnings_.push_back(text); }, std::move(look));
  }
  [[nodiscard]] FileSettings file(const std::string& name,
                                  FileIsUpIf up_if = FileIsUpIf::kExists) const {
    return {.key = "a", .name = name, .path = path(name), .up_if = up_if};
  }
  // Long enough for anything that should not be told.
  void run_on() {
    loop_.restart();
    loop_.run_for(milliseconds(500));
  }

  std::vector<std::string> told_;
  std::vector<std::string> warnings_;
  std::function<void()> on_result_ = [] {};
  std::unique_ptr<FileTrackers> trackers_;
};

TEST_F(FileTrackersRun, TellsAtFirstAndWhenItChanges) {
  write("there", "");
  trackers_->set({file("there"), file("absent", FileIsUpIf::kMissing)});
  EXPECT_THAT(told_, IsEmpty()) << "told from inside set()";
  ASSERT_TRUE(run_until([&] { return told_.size() == 2; }));
  EXPECT_THAT(told_, UnorderedElementsAre("a there up: exists", "a absent up: missing"));
  run_on();
  EXPECT_EQ(told_.size(), 2U);
  told_.clear();
  const auto begin = steady_clock::now();
  std::filesystem::remove(path("there"));
  ASSERT_TRUE(run_until([&] { return !told_.empty(); }));
  EXPECT_LT(steady_clock::now() - begin, seconds(2));
  EXPECT_THAT(told_, ElementsAre("a there down: missing"));
  write("absent", "");
  ASSERT_TRUE(run_until([&] { return told_.size() == 2; }));
  EXPECT_EQ(told_[1], "a absent down: exists");
}

TEST_F(FileTrackersRun, SeesAFileWhoseFolderComesLater) {
  trackers_->set({file("folder/deep/file")});
  ASSERT_TRUE(run_until([&] { return told_.size() == 1; }));
  EXPECT_EQ(told_[0], "a folder/deep/file down: missing");
  std::filesystem::create_directories(path("folder/deep"));
  write("folder/deep/file", "");
  ASSERT_TRUE(run_until([&] { return told_.size() == 2; }));
  std::filesystem::remove_all(path("folder"));
  ASSERT_TRUE(run_until([&] { return told_.size() == 3; }));
  write("folder", "now a file");  // ENOTDIR
  run_on();
  EXPECT_EQ(told_.size(), 3U);
  EXPECT_EQ(told_[2], "a folder/deep/file down: missing");
}

TEST_F(FileTrackersRun, SaysWhyAFileCannotBeLookedAtWhichIsNeverGood) {
  begin([](const std::string&) { return EACCES; });
  trackers_->set({file("one"), file("two", FileIsUpIf::kMissing)});
  ASSERT_TRUE(run_until([&] { return told_.size() == 2; }));
  EXPECT_THAT(told_, UnorderedElementsAre("a one down: cannot be looked at: Permission denied",
                                          "a two down: cannot be looked at: Permission denied"));
}

TEST_F(FileTrackersRun, KeepsWhatIsKnownThroughAReload) {
  write("one", "");
  write("two", "");
  trackers_->set({file("one")});
  ASSERT_TRUE(run_until([&] { return told_.size() == 1; }));
  trackers_->set({file("one"), file("two")});
  ASSERT_TRUE(run_until([&] { return told_.size() == 2; }));
  EXPECT_EQ(told_[1], "a two up: exists");
  trackers_->set({file("one", FileIsUpIf::kMissing), file("two")});
  ASSERT_TRUE(run_until([&] { return told_.size() == 3; }));
  EXPECT_EQ(told_[2], "a one down: exists");
  trackers_->set({});
  std::filesystem::remove(path("one"));
  run_on();
  EXPECT_EQ(told_.size(), 3U);
  trackers_->set({file("one")});
  ASSERT_TRUE(run_until([&] { return told_.size() == 4; }));
  EXPECT_EQ(told_[3], "a one down: missing") << "not what it was when it was seen last";
}

TEST_F(FileTrackersRun, GoesOnWhenAFileSystemDoesNotAnswer) {
  auto hangs = std::make_shared<std::atomic<bool>>(true);
  begin([hangs](const std::string& path) {
    while (path.ends_with("/hangs") && *hangs) {
      std::this_thread::sleep_for(milliseconds(1));
    }
    return 0;
  });
  trackers_->set({file("good"), file("hangs", FileIsUpIf::kMissing)});
  // The loop is not held up: it counts its turns meanwhile.
  int turns = 0;
  ASSERT_TRUE(run_until([&] {
    ++turns;
    return told_.size() == 2;
  }));
  EXPECT_GT(turns, 10);
  EXPECT_THAT(told_, ElementsAre("a good up: exists",
                                 "a hangs down: cannot be looked at: its file system does not "
                                 "answer"));
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr(path("hangs") + ": its file system does not")));
  *hangs = false;
  ASSERT_TRUE(run_until([&] { return told_.size() == 3; }));
  EXPECT_EQ(told_[2], "a hangs down: exists");
}

TEST_F(FileTrackersRun, DoesNotWaitForAHangingFileToEnd) {
  auto hangs = std::make_shared<std::atomic<bool>>(true);
  auto is_looking = std::make_shared<std::atomic<bool>>(false);
  begin([hangs, is_looking](const std::string&) {
    *is_looking = true;
    while (*hangs) {
      std::this_thread::sleep_for(milliseconds(1));
    }
    return 0;
  });
  trackers_->set({file("hangs")});
  ASSERT_TRUE(run_until([&] { return is_looking->load(); }));
  trackers_.reset();
  *hangs = false;
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(FileTrackersRun, MayBeDestroyedFromAResult) {
  on_result_ = [&] { trackers_.reset(); };
  trackers_->set({file("one"), file("two")});
  ASSERT_TRUE(run_until([&] { return trackers_ == nullptr; }));
  run_on();
  EXPECT_EQ(told_.size(), 1U);
}

}  // namespace
}  // namespace ballast::control
