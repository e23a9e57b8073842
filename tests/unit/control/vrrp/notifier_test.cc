#include "control/vrrp/notifier.h"

#include <algorithm>
#include <memory>

#include <gmock/gmock.h>

#include "tests/unit/control/vrrp/program_fixture.h"

namespace ballast::control {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using vrrp::State;

class NotifierRun : public ProgramTest {
 protected:
  NotifierRun() { begin({}); }

  void begin(Notifier::Options options) {
    notifier_ = std::make_unique<Notifier>(
        loop_, nobody(),
        [this](bool is_warning, const std::string& line) {
          (is_warning ? warnings_ : lines_).push_back(line);
        },
        options);
  }

  static Notification of(const std::string& name, State to, unsigned priority = 100) {
    Notification notification;
    notification.name = name;
    notification.from = State::kBackup;
    notification.to = to;
    notification.priority = vrrp::Priority{static_cast<uint8_t>(priority)};
    notification.reason = "it was asked for";
    return notification;
  }
  // Appends what it is told to a file.
  std::string noting(const std::string& name, const std::string& first = "") {
    share("told");
    return script(name, first + "\necho \"$@\" >> " + path("told"));
  }
  [[nodiscard]] bool run_until_told() {
    bool done = false;
    notifier_->when_told([&] { done = true; });
    return run_until([&] { return done; });
  }

  std::vector<std::string> lines_;
  std::vector<std::string> warnings_;
  std::unique_ptr<Notifier> notifier_;
};

TEST_F(NotifierRun, SaysWhatKeepalivedSays) {
  const std::string it = noting("it");
  notifier_->notify({it, "--own", "two words"}, of("front", State::kActive, 150));
  ASSERT_TRUE(run_until_told());
  notifier_->notify({it}, of("front", State::kBackup, 0));
  notifier_->notify({it}, of("front", State::kFault, 255));
  notifier_->notify({it}, of("front", State::kInitialize));
  ASSERT_TRUE(run_until_told());
  Notification group = of("both", State::kActive);
  group.of = Notification::Of::kGroup;
  notifier_->notify({it}, group);
  ASSERT_TRUE(run_until_told());
  EXPECT_EQ(read("told"),
            "--own two words INSTANCE front ACTIVE 150\n"
            "INSTANCE front BACKUP 0\n"
            "INSTANCE front FAULT 255\n"
            "INSTANCE front STOP 100\n"
            "GROUP both ACTIVE 100\n");
  EXPECT_THAT(warnings_, IsEmpty());
  EXPECT_EQ(lines_[0], "notify INSTANCE front ACTIVE: " + it + ": told");
}

TEST_F(NotifierRun, SaysWhyAndSinceWhenInTheEnvironment) {
  share("told");
  const std::string it = script("it", "env > " + path("told"));
  Notification notification = of("front", State::kActive);
  notification.reason =
      "the master-down timer\nof \x1b[31m"
      "10.0.0.1";
  notification.at = std::chrono::system_clock::time_point(milliseconds(1'772'366'400'123));
  notifier_->notify({it}, notification);
  ASSERT_TRUE(run_until_told());
  EXPECT_THAT(read("told"),
              AllOf(HasSubstr("BALLAST_FROM=BACKUP\n"),
                    HasSubstr("BALLAST_REASON=the master-down timer?of ?[31m10.0.0.1\n"),
                    HasSubstr("BALLAST_TIME=2026-03-01T12:00:00.123Z\n")));
}

TEST_F(NotifierRun, TellsInOrderOneAtATime) {
  share("running");
  // A second one at the same time would find the folder there.
  std::filesystem::permissions(folder_, std::filesystem::perms(01777));
  const std::string lock = path("lock");
  const std::string it = noting("it", "mkdir " + lock + " || exit 9\nsleep 0.02\nrmdir " + lock);
  std::string expected;
  for (unsigned priority = 1; priority <= Notifier::kMostWaiting; ++priority) {
    const State state = priority % 2 == 0 ? State::kActive : State::kBackup;
    notifier_->notify({it}, of("front", state, priority));
    expected += "INSTANCE front " + std::string(vrrp::to_string(state)) + " " +
                std::to_string(priority) + "\n";
  }
  ASSERT_TRUE(run_until_told());
  EXPECT_EQ(read("told"), expected);
  EXPECT_THAT(warnings_, Not(Contains(HasSubstr("exit 9"))));
}

TEST_F(NotifierRun, DoesNotLetOneInstanceWaitForAnother) {
  const std::string slow = script("slow", "exec sleep 1000");
  const std::string it = noting("it");
  notifier_->notify({slow}, of("one", State::kActive));
  notifier_->notify({it}, of("two", State::kActive));
  Notification group = of("one", State::kActive);
  group.of = Notification::Of::kGroup;
  notifier_->notify({it}, group);
  EXPECT_TRUE(run_until([&] { return lines_.size() == 2; }));
  EXPECT_THAT(children(), testing::SizeIs(1));
  notifier_.reset();  // lets it run
  EXPECT_EQ(::kill(std::stoi(children().front()), SIGKILL), 0);
  EXPECT_TRUE(run_until([&] { return children().empty(); }));
}

TEST_F(NotifierRun, LeavesTheOldestOutWhenStatesComeFasterButNeverTheLast) {
  const std::string it = noting("it", "while [ ! -e " + path("go") + " ]; do sleep 0.01; done");
  for (unsigned priority = 0; priority <= 100; ++priority) {
    notifier_->notify({it}, of("front", State::kActive, priority));
  }
  write("go", "");
  ASSERT_TRUE(run_until_told());
  std::string expected = "INSTANCE front ACTIVE 0\n";
  for (unsigned priority = 101 - Notifier::kMostWaiting; priority <= 100; ++priority) {
    expected += "INSTANCE front ACTIVE " + std::to_string(priority) + "\n";
  }
  EXPECT_EQ(read("told"), expected);
  EXPECT_THAT(warnings_, ElementsAre("notify INSTANCE front: 84 changes of state were left out: " +
                                     it + " takes too long"));
}

TEST_F(NotifierRun, LogsWhatFailsWithItsFirstLineAndGoesOn) {
  const std::string bad = script("bad", "echo 'no such interface'; exit 2");
  notifier_->notify({bad}, of("front", State::kActive));
  notifier_->notify({path("missing")}, of("front", State::kBackup));
  notifier_->notify({noting("it")}, of("front", State::kFault));
  ASSERT_TRUE(run_until_told());
  EXPECT_THAT(warnings_,
              ElementsAre("notify INSTANCE front ACTIVE: " + bad + ": exit 2: no such interface",
                          "notify INSTANCE front BACKUP: " + path("missing") +
                              ": cannot be started: No such file or directory"));
  EXPECT_EQ(read("told"), "INSTANCE front FAULT 100\n");
}

TEST_F(NotifierRun, EndsAProgramThatTakesTooLong) {
  begin({.timeout = milliseconds(100)});
  const std::string slow = script("slow", "exec sleep 1000");
  notifier_->notify({slow}, of("front", State::kActive));
  notifier_->notify({noting("it")}, of("front", State::kBackup));
  ASSERT_TRUE(run_until_told());
  EXPECT_THAT(warnings_, ElementsAre(EndsWith("/slow: timed out after 100ms")));
  EXPECT_EQ(read("told"), "INSTANCE front BACKUP 100\n");
}

TEST_F(NotifierRun, LetsAProgramRunOnWhenItGoesAndSaysWhatIsNotTold) {
  const std::string it = noting("it", "while [ ! -e " + path("go") + " ]; do sleep 0.01; done");
  for (unsigned priority = 1; priority <= 3; ++priority) {
    notifier_->notify({it}, of("front", State::kActive, priority));
  }
  notifier_->when_told([] { FAIL() << "not all is told"; });
  notifier_.reset();
  write("go", "");
  EXPECT_TRUE(run_until([&] { return children().empty(); }));
  EXPECT_EQ(read("told"), "INSTANCE front ACTIVE 1\n");
  EXPECT_THAT(warnings_,
              ElementsAre("notify INSTANCE front: 2 changes of state are not told any more"));
}

TEST_F(NotifierRun, TellsNobodyWithoutACommand) {
  notifier_->notify({}, of("front", State::kActive));
  ASSERT_TRUE(run_until_told());
  EXPECT_THAT(children(), IsEmpty());
  EXPECT_THAT(warnings_, IsEmpty());
}

TEST_F(NotifierRun, LeavesNothingOpen) {
  notifier_->notify({noting("it")}, of("front", State::kActive));
  ASSERT_TRUE(run_until_told());
  const size_t before = open_descriptors();
  for (int i = 0; i < 10; ++i) {
    notifier_->notify({path("it")}, of("front", State::kActive));
    ASSERT_TRUE(run_until_told());
  }
  EXPECT_TRUE(run_until([&] { return open_descriptors() == before; }));
  EXPECT_THAT(children(), IsEmpty());
}

}  // namespace
}  // namespace ballast::control
