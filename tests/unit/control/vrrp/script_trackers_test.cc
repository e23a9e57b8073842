#include "control/vrrp/script_trackers.h"

#include <algorithm>
#include <memory>
#include <tuple>

#include <gmock/gmock.h>

#include "tests/unit/control/vrrp/program_fixture.h"

namespace ballast::control {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

struct Told {
  std::string key;
  std::string name;
  bool is_good = false;
  std::string text;
};

class ScriptTrackersRun : public ProgramTest {
 protected:
  void TearDown() override {
    trackers_.reset();
    EXPECT_TRUE(run_until([] { return children().empty(); })) << "they die with their trackers";
  }

  static ScriptSettings settings(const std::string& key, std::vector<std::string> command,
                                 milliseconds interval = seconds(3600),
                                 milliseconds timeout = seconds(20)) {
    ScriptSettings settings{.key = key,
                            .name = "script " + command.front(),
                            .command = {},
                            .interval = interval,
                            .timeout = timeout};
    settings.command = std::move(command);
    return settings;
  }
  // A script that counts its runs.
  std::string counting(const std::string& name) {
    share(name + ".runs");
    return script(name, "echo run >> " + path(name + ".runs"));
  }
  [[nodiscard]] ptrdiff_t runs(const std::string& name) const {
    const std::string text = read(name + ".runs");
    return std::count(text.begin(), text.end(), '\n');
  }
  [[nodiscard]] size_t told_to(const std::string& key) const {
    return static_cast<size_t>(std::count_if(told_.begin(), told_.end(),
                                             [&](const Told& told) { return told.key == key; }));
  }

  std::vector<Told> told_;
  std::vector<std::string> warnings_;
  std::function<void()> on_result_ = [] {};
  std::unique_ptr<ScriptTrackers> trackers_ = std::make_unique<ScriptTrackers>(
      loop_, nobody(),
      [this](const std::string& key, const std::string& name, bool is_good,
             const std::string& text) {
        told_.push_back({key, name, is_good, text});
        on_result_();
      },
      [this](const std::string& text) { warnings_.push_back(text); });
};

TEST_F(ScriptTrackersRun, TellsEveryResultInWords) {
  trackers_->set({settings("a", {script("good", "exit 0")}),
                  settings("b", {script("bad", "echo 'BGP session down'; exit 1")}),
                  settings("c", {path("missing")}),
                  settings("d", {script("slow", "sleep 1000")}, seconds(2), milliseconds(100))});
  EXPECT_THAT(told_, IsEmpty()) << "told from inside set()";
  ASSERT_TRUE(run_until([&] { return told_.size() >= 4; }));
  std::sort(told_.begin(), told_.end(),
            [](const Told& left, const Told& right) { return left.key < right.key; });
  EXPECT_EQ(told_[0].text, "exit 0");
  EXPECT_TRUE(told_[0].is_good);
  EXPECT_EQ(told_[0].name, "script " + path("good"));
  EXPECT_EQ(told_[1].text, "exit 1: BGP session down");
  EXPECT_FALSE(told_[1].is_good);
  EXPECT_EQ(told_[2].text, "cannot be started: No such file or directory");
  EXPECT_FALSE(told_[2].is_good);
  EXPECT_EQ(told_[3].text, "timed out after 100ms");
  EXPECT_FALSE(told_[3].is_good);
}

TEST_F(ScriptTrackersRun, RunsFromBeginToBegin) {
  // Each run takes most of the interval.
  const std::string it = script("it", "exec sleep 0.15");
  const auto begin = steady_clock::now();
  trackers_->set({settings("a", {it}, milliseconds(200), milliseconds(200))});
  ASSERT_TRUE(run_until([&] { return told_.size() == 6; }));
  // Five intervals and the last run; from end to begin it would be 1.9 s.
  EXPECT_GE(steady_clock::now() - begin, milliseconds(1150));
  EXPECT_LT(steady_clock::now() - begin, milliseconds(1800));
}

TEST_F(ScriptTrackersRun, NeverRunsAScriptTwiceAtOnce) {
  share("log");
  const std::string it = script("it", "trap '' TERM\necho begin >> " + path("log") +
                                          "\nsleep 0.4\necho end >> " + path("log"));
  trackers_->set({settings("a", {it}, milliseconds(100), milliseconds(100))});
  ASSERT_TRUE(run_until([&] { return told_.size() >= 6; }));
  for (const Told& told : told_) {
    EXPECT_FALSE(told.is_good);
    EXPECT_THAT(told.text,
                testing::AnyOf("timed out after 100ms", "it was killed, and has not ended"));
  }
  EXPECT_THAT(read("log"),
              AllOf(StartsWith("begin\nend\nbegin\n"), Not(HasSubstr("n\nbegin\nbegin"))));
}

TEST_F(ScriptTrackersRun, TellsATimeoutWhenTheTimeIsOver) {
  const std::string it = script("it", "trap '' TERM\nwhile :; do sleep 1; done");
  const auto begin = steady_clock::now();
  trackers_->set({settings("a", {it}, milliseconds(300), milliseconds(100))});
  ASSERT_TRUE(run_until([&] { return !told_.empty(); }));
  EXPECT_EQ(told_.front().text, "timed out after 100ms");
  EXPECT_LT(steady_clock::now() - begin, milliseconds(550)) << "not after SIGKILL";
}

TEST_F(ScriptTrackersRun, RunsOneProcessForAllThatWantTheSame) {
  const std::string it = counting("it");
  trackers_->set({settings("a", {it}), settings("b", {it}), settings("c", {it, "other"})});
  ASSERT_TRUE(run_until([&] { return told_.size() == 3; }));
  EXPECT_EQ(runs("it"), 2);
  EXPECT_EQ(told_to("a"), 1U);
  EXPECT_EQ(told_to("b"), 1U);
  EXPECT_EQ(told_to("c"), 1U);
}

TEST_F(ScriptTrackersRun, TellsWhoComesLaterTheLastResultAtOnce) {
  const std::string it = counting("it");
  trackers_->set({settings("a", {it})});
  ASSERT_TRUE(run_until([&] { return told_to("a") == 1; }));
  trackers_->set({settings("a", {it}), settings("b", {it})});
  EXPECT_EQ(told_to("b"), 0U);
  ASSERT_TRUE(run_until([&] { return told_to("b") == 1; }));
  EXPECT_EQ(runs("it"), 1);
  EXPECT_EQ(told_to("a"), 1U);
}

TEST_F(ScriptTrackersRun, KeepsTheRhythmOfWhatStays) {
  const std::string stays = counting("stays");
  const std::string goes = counting("goes");
  const auto begin = steady_clock::now();
  size_t reloads = 0;
  // A reload every 20 ms or so would put off, or begin anew, what is due every 300 ms.
  while (steady_clock::now() - begin < milliseconds(1000)) {
    std::vector<ScriptSettings> wanted{settings("a", {stays}, milliseconds(300))};
    if (++reloads % 2 == 0) {
      wanted.push_back(settings("b", {goes}));
    }
    trackers_->set(wanted);
    loop_.restart();
    loop_.run_for(milliseconds(20));
  }
  EXPECT_GE(runs("stays"), 3);
  EXPECT_LE(runs("stays"), 4);
}

TEST_F(ScriptTrackersRun, KillsWhatIsNotWantedAnyMoreAndIsSilentOfIt) {
  share("pid");
  trackers_->set({settings("a", {script("it", "echo $$ > " + path("pid") + "; exec sleep 1000")})});
  ASSERT_TRUE(run_until([&] { return !read("pid").empty(); }));
  trackers_->set({});
  EXPECT_TRUE(run_until([&] { return children().empty(); }));
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(ScriptTrackersRun, SpreadsFirstRunsByATenthOfTheInterval) {
  std::vector<ScriptSettings> wanted;
  wanted.reserve(20);
  const std::string it = script("it", "exit 0");
  for (int i = 0; i < 20; ++i) {
    wanted.push_back(settings("a", {it, std::to_string(i)}, seconds(3600)));
  }
  const auto begin = steady_clock::now();
  size_t most_at_once = 0;
  trackers_->set(wanted);
  ASSERT_TRUE(run_until([&] {
    most_at_once = std::max(most_at_once, children().size());
    return told_.size() == 20;
  }));
  EXPECT_LT(most_at_once, 15U);
  EXPECT_LT(steady_clock::now() - begin, seconds(5)) << "not six minutes";
}

TEST_F(ScriptTrackersRun, MayBeDestroyedAndSetAnewFromAResult) {
  const std::string it = script("it", "exit 0");
  const std::string other = script("other", "exit 0");
  on_result_ = [&] {
    if (told_.size() == 1) {
      trackers_->set({settings("c", {other})});  // in the middle of telling b
    } else {
      trackers_.reset();
    }
  };
  trackers_->set({settings("a", {it}), settings("b", {it})});
  ASSERT_TRUE(run_until([&] { return trackers_ == nullptr; }));
  EXPECT_EQ(told_.size(), 2U);
  EXPECT_EQ(told_[0].key, "a");
  EXPECT_EQ(told_[1].key, "c");
  EXPECT_THAT(children(), IsEmpty());
}

TEST_F(ScriptTrackersRun, WarnsOnceOfAScriptThatOthersMayChange) {
  const std::string it = script("it", "exit 0", 0777);
  trackers_->set({settings("a", {it}, milliseconds(50), milliseconds(50))});
  ASSERT_TRUE(run_until([&] { return told_.size() >= 3; }));
  EXPECT_THAT(warnings_,
              ElementsAre("script " + it + ": " + it +
                          " can be changed by others than root and the user that it runs as"));
}

}  // namespace
}  // namespace ballast::control
