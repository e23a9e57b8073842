#include "control/vrrp/program.h"

#include <algorithm>
#include <array>
#include <optional>
#include <sstream>
#include <utility>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/unit/control/vrrp/program_fixture.h"

namespace ballast::control {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using testing::AllOf;
using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;
using How = ProgramEnd::How;

class ProgramRun : public ProgramTest {
 protected:
  ProgramRequest request(std::vector<std::string> command) const {
    ProgramRequest request;
    request.command = std::move(command);
    request.user = nobody();
    request.timeout = seconds(20);
    return request;
  }

  ProgramEnd end_of(ProgramRequest request) {
    std::optional<ProgramEnd> end;
    const Program program =
        run_program(loop_, std::move(request), [&](const ProgramEnd& what) { end = what; });
    EXPECT_FALSE(end) << "told from inside run_program()";
    EXPECT_TRUE(run_until([&] { return end.has_value(); }));
    EXPECT_FALSE(program.is_running());
    return end.value_or(ProgramEnd{});
  }
  ProgramEnd end_of(const std::string& text) { return end_of(request({script("it", text)})); }

  // What the program says of itself, by lines of a file.
  std::vector<std::string> told_by(const std::string& text) {
    share("told");
    EXPECT_EQ(end_of("{\n" + text + "\n} > " + path("told") + " 2>&1").to_string(), "exit 0");
    std::vector<std::string> lines;
    std::istringstream all(read("told"));
    for (std::string line; std::getline(all, line);) {
      lines.push_back(line);
    }
    return lines;
  }
};

TEST_F(ProgramRun, TellsHowAProgramEnded) {
  EXPECT_EQ(end_of("exit 0").to_string(), "exit 0");
  EXPECT_TRUE(end_of("exit 0").is_good());
  EXPECT_EQ(end_of("echo 'BGP session down'; exit 1").to_string(), "exit 1: BGP session down");
  EXPECT_EQ(end_of("exit 255").to_string(), "exit 255");
  EXPECT_FALSE(end_of("exit 255").is_good());
  EXPECT_EQ(end_of("kill -SEGV $$").to_string(), "killed by signal 11 (Segmentation fault)");
  EXPECT_FALSE(end_of("kill -SEGV $$").is_good());
}

TEST_F(ProgramRun, KeepsTheFirstLineThatSaysSomethingOfBothOutputs) {
  EXPECT_EQ(end_of("echo; echo '  '; echo '  first '; echo second").output, "first");
  EXPECT_EQ(end_of("echo wrong >&2; echo more").output, "wrong");
  EXPECT_EQ(end_of("printf 'no end of line'").output, "no end of line");
  EXPECT_EQ(end_of("printf 'a\\033[31mb\\tc\\0d\\303\\244'").output, "a?[31mb?c?d??");
  EXPECT_EQ(end_of("printf '%0300d' 0").output, std::string(200, '0') + "...");
  ProgramRequest shorter = request({script("it", "echo 0123456789")});
  shorter.output_limit = 10;
  EXPECT_EQ(end_of(shorter).output, "0123456789");
}

TEST_F(ProgramRun, TellsWhyAProgramCannotBeStarted) {
  EXPECT_EQ(end_of(request({path("missing")})).to_string(),
            "cannot be started: No such file or directory");
  EXPECT_EQ(end_of(request({script("closed", "exit 0", 0644)})).to_string(),
            "cannot be started: Permission denied");
  EXPECT_EQ(end_of(request({folder_})).to_string(), "cannot be started: Permission denied");
  write("data", "neither binary nor script", 0755);
  EXPECT_EQ(end_of(request({path("data")})).to_string(), "cannot be started: Exec format error");
  EXPECT_EQ(end_of(request({})).how, How::kNotStarted);
  // What 127 means is not guessed.
  EXPECT_EQ(end_of("exit 127").to_string(), "exit 127");
}

TEST_F(ProgramRun, TellsThatThereAreNoDescriptorsLeft) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const ProgramRequest wanted = request({script("it", "exit 0")});
  end_of(wanted);  // the loop has opened its own by now
  const int next = ::dup(0);
  ASSERT_GE(next, 0);
  ::close(next);
  std::optional<ProgramEnd> end;
  for (rlim_t more = 0; more < 12 && !(end && end->is_good()); ++more) {
    end.reset();
    rlimit few = before;
    few.rlim_cur = static_cast<rlim_t>(next) + more;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    const Program program = run_program(loop_, wanted, [&](const ProgramEnd& what) { end = what; });
    EXPECT_TRUE(run_until([&] { return end.has_value(); }));
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_THAT(end->to_string(),
                AnyOf(AllOf(StartsWith("cannot be started: "), HasSubstr("Too many open files")),
                      "exit 0"));
  }
  EXPECT_TRUE(end && end->is_good());
  EXPECT_THAT(children(), IsEmpty());
}

TEST_F(ProgramRun, IsStartedWhenBallastdHasMoreOpenThanAProgramMayHave) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit many = before;
  many.rlim_cur = std::min<rlim_t>(4096, many.rlim_max);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &many), 0);
  std::vector<int> open;
  open.reserve(2000);
  for (int i = 0; i < 2000; ++i) {
    open.push_back(::fcntl(0, F_DUPFD_CLOEXEC, 4));
  }
  const ProgramEnd end = end_of("ulimit -Sn; ls /proc/self/fd | wc -l");
  for (const int descriptor : open) {
    ::close(descriptor);
  }
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(open.back() > 1024, true);
  EXPECT_EQ(end.to_string(), "exit 0: 1024");
}

TEST_F(ProgramRun, GivesArgumentsAsTheyAreWithoutAShell) {
  share("told");
  const std::string told = path("told");
  ProgramRequest wanted =
      request({script("it", "for a in \"$@\"; do echo \"<$a>\"; done > " + told), "two words", "",
               "$(id)", "*", "a\nb"});
  EXPECT_EQ(end_of(wanted).to_string(), "exit 0");
  EXPECT_EQ(read("told"), "<two words>\n<>\n<$(id)>\n<*>\n<a\nb>\n");
}

TEST_F(ProgramRun, EndsAProgramWhoseTimeIsOver) {
  ProgramRequest wanted = request({script("it", "echo waiting; exec sleep 1000")});
  wanted.timeout = milliseconds(300);
  const auto begin = steady_clock::now();
  std::optional<ProgramEnd> end;
  int timeouts = 0;
  const Program program = run_program(
      loop_, wanted, [&](const ProgramEnd& what) { end = what; },
      [&] {
        EXPECT_FALSE(end);
        ++timeouts;
      });
  ASSERT_TRUE(run_until([&] { return end.has_value(); }));
  EXPECT_EQ(timeouts, 1);
  EXPECT_EQ(end->to_string(), "timed out after 300ms: waiting");
  EXPECT_FALSE(end->is_good());
  EXPECT_GE(steady_clock::now() - begin, milliseconds(300));
  EXPECT_THAT(children(), IsEmpty());
}

TEST_F(ProgramRun, KillsAProgramThatIgnoresSigterm) {
  ProgramRequest wanted = request({script("it", "trap '' TERM\nwhile :; do sleep 1000; done")});
  wanted.timeout = milliseconds(300);
  const auto begin = steady_clock::now();
  EXPECT_EQ(end_of(wanted).to_string(), "timed out after 300ms");
  EXPECT_GE(steady_clock::now() - begin, milliseconds(800));
  EXPECT_LT(steady_clock::now() - begin, seconds(20));
  EXPECT_THAT(children(), IsEmpty());
}

TEST_F(ProgramRun, IsNotHeldUpByAGrandchildThatKeepsTheOutputOpenAndEndsIt) {
  share("pid");
  const auto begin = steady_clock::now();
  const ProgramEnd end = end_of("echo said; sleep 1000 & echo $! > " + path("pid") + "; exit 3");
  EXPECT_EQ(end.to_string(), "exit 3: said");
  EXPECT_LT(steady_clock::now() - begin, seconds(20));
  std::string grandchild = read("pid");
  grandchild.pop_back();
  EXPECT_TRUE(run_until([&] { return !process_exists(grandchild); }));
}

TEST_F(ProgramRun, LeavesWhatAProgramThatMayOutliveItStartedAlone) {
  share("pid");
  ProgramRequest wanted =
      request({script("it", "sleep 1000 & echo $! > " + path("pid") + "; exit 0")});
  wanted.may_outlive = true;
  EXPECT_EQ(end_of(wanted).to_string(), "exit 0");
  std::string grandchild = read("pid");
  grandchild.pop_back();
  EXPECT_TRUE(process_exists(grandchild));
  EXPECT_EQ(::kill(std::stoi(grandchild), SIGKILL), 0);
}

TEST_F(ProgramRun, ReadsTenMegabytesAwayAndKeepsALine) {
  EXPECT_EQ(end_of("echo first; head -c 10000000 /dev/zero; echo done; exit 4").to_string(),
            "exit 4: first");
  EXPECT_EQ(end_of("head -c 10000000 /dev/zero; exit 4").output, std::string(200, '?') + "...");
}

TEST_F(ProgramRun, EndsAProgramThatNeverStopsWriting) {
  ProgramRequest wanted = request({script("it", "exec yes")});
  wanted.timeout = milliseconds(300);
  EXPECT_EQ(end_of(wanted).to_string(), "timed out after 300ms: y");
}

TEST_F(ProgramRun, RunsAsNobodyWithoutAnyCapability) {
  if (!is_root()) {
    GTEST_SKIP() << "only root may become another user";
  }
  const gid_t other = 1234;
  ASSERT_EQ(::setgroups(1, &other), 0);  // ballastd's own are not the program's
  const auto lines = told_by(
      "id -u; id -g; id -G; grep -E '^(Cap(Inh|Prm|Eff|Amb)|NoNewPrivs):' /proc/self/status");
  ASSERT_EQ(::setgroups(0, nullptr), 0);
  EXPECT_THAT(lines, ElementsAre("65534", "65534", "65534", "CapInh:\t0000000000000000",
                                 "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000",
                                 "CapAmb:\t0000000000000000", "NoNewPrivs:\t1"));
}

TEST_F(ProgramRun, EmptiesTheBoundingSetWhereItMay) {
  if (!is_root()) {
    GTEST_SKIP() << "takes CAP_SETPCAP";
  }
  EXPECT_THAT(told_by("grep CapBnd /proc/self/status"), ElementsAre("CapBnd:\t0000000000000000"));
}

// Takes CAP_SETPCAP from this thread, as the unit does: the bounding set stays then.
class WithoutSetpcap {
 public:
  WithoutSetpcap() {
    EXPECT_EQ(::syscall(SYS_capget, &header_, before_.data()), 0);
    auto fewer = before_;
    fewer[CAP_TO_INDEX(CAP_SETPCAP)].effective &= ~CAP_TO_MASK(CAP_SETPCAP);
    EXPECT_EQ(::syscall(SYS_capset, &header_, fewer.data()), 0);
  }
  WithoutSetpcap(const WithoutSetpcap&) = delete;
  WithoutSetpcap& operator=(const WithoutSetpcap&) = delete;
  ~WithoutSetpcap() { ::syscall(SYS_capset, &header_, before_.data()); }

 private:
  __user_cap_header_struct header_{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> before_{};
};

TEST_F(ProgramRun, HasNoCapabilityEvenAsBallastdsOwnUser) {
  const WithoutSetpcap without;
  ProgramRequest wanted = request({});
  wanted.user.can_become = false;
  share("told");
  // A path that root alone can change, or root would refuse it.
  wanted.command = {"/bin/sh", "-c",
                    "{ id -u; grep -E 'Cap(Prm|Eff)' /proc/self/status; } > " + path("told")};
  EXPECT_EQ(end_of(wanted).to_string(), "exit 0");
  EXPECT_EQ(read("told"), std::to_string(::geteuid()) +
                              "\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n");
}

TEST_F(ProgramRun, HasNothingOfBallastdsEnvironmentAndDescriptors) {
  ::setenv("BALLAST_SECRET", "1", 1);
  const int inherited = ::fcntl(0, F_DUPFD, 50);  // without close-on-exec
  ASSERT_GE(inherited, 0);
  ProgramRequest wanted = request(
      {script("it", "{ env; pwd; umask; ls /proc/self/fd; cat; ulimit -Sn; } > " + path("told"))});
  wanted.environment = {"BALLAST_TIME=now", "ODD=a b\nc"};
  share("told");
  EXPECT_EQ(end_of(wanted).to_string(), "exit 0");
  ::close(inherited);
  const std::string told = read("told");
  EXPECT_THAT(told, Not(HasSubstr("BALLAST_SECRET")));
  EXPECT_THAT(told, HasSubstr("BALLAST_TIME=now\n"));
  EXPECT_THAT(told, HasSubstr("ODD=a b\nc\n"));
  EXPECT_THAT(told, HasSubstr("LANG=C.UTF-8\n"));
  EXPECT_THAT(told, HasSubstr("PATH=/usr/local/sbin:"));
  // 3 is the folder that ls reads.
  EXPECT_THAT(told, HasSubstr("\n/\n0022\n0\n1\n2\n3\n1024\n"));
  ::unsetenv("BALLAST_SECRET");
}

TEST_F(ProgramRun, HasDefaultSignalsAndAnEmptyMask) {
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &blocked, &before), 0);
  auto* const pipe_before = ::signal(SIGPIPE, SIG_IGN);
  share("told");
  // Not by a shell, which changes some of it.
  EXPECT_EQ(end_of(request({"/bin/grep", "^Sig[BIC]", "/proc/self/status"})).output,
            "SigBlk:?0000000000000000");
  const auto lines = told_by("exec grep -E '^Sig(Blk|Ign)' /proc/self/status");
  ASSERT_EQ(::signal(SIGPIPE, pipe_before), SIG_IGN);
  sigset_t now;
  ASSERT_EQ(::pthread_sigmask(SIG_SETMASK, &before, &now), 0);
  EXPECT_EQ(sigismember(&now, SIGUSR1), 1) << "ballastd's own mask is as it was";
  EXPECT_EQ(sigismember(&now, SIGTERM), 0);
  EXPECT_THAT(lines, ElementsAre("SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000"));
}

TEST_F(ProgramRun, IsScheduledLikeAnythingElseAlthoughItsStarterIsRealTime) {
  const sched_param real_time{.sched_priority = 1};
  if (::sched_setscheduler(0, SCHED_FIFO, &real_time) != 0) {
    GTEST_SKIP() << "no real-time priority here";
  }
  const auto lines = told_by("awk '{ print $18, $19, $41 }' /proc/self/stat");
  const sched_param usual{};
  ASSERT_EQ(::sched_setscheduler(0, SCHED_OTHER, &usual), 0);
  EXPECT_THAT(lines, ElementsAre("20 0 0"));  // priority, nice, policy
}

TEST_F(ProgramRun, IsNotSparedWhenMemoryEnds) {
  const std::string before = [] {
    std::ifstream file("/proc/self/oom_score_adj");
    return std::string(std::istreambuf_iterator<char>(file), {});
  }();
  { std::ofstream("/proc/self/oom_score_adj") << "500"; }
  const auto lines = told_by("cat /proc/self/oom_score_adj");
  { std::ofstream("/proc/self/oom_score_adj") << before; }
  EXPECT_THAT(lines, ElementsAre("0"));
}

TEST_F(ProgramRun, WarnsOfAPathThatOthersMayChange) {
  EXPECT_EQ(end_of("exit 0").changeable, "");
  const std::string it = script("it", "exit 0", 0777);
  EXPECT_EQ(end_of(request({it})).changeable, it);
  EXPECT_EQ(end_of(request({it})).to_string(), "exit 0");
  std::filesystem::permissions(it, std::filesystem::perms(0755));
  std::filesystem::create_directory(folder_ / "open");
  std::filesystem::permissions(folder_ / "open", std::filesystem::perms(0777));
  const std::string in_folder = script("open/it", "exit 0");
  EXPECT_EQ(end_of(request({in_folder})).changeable, path("open"));
  std::filesystem::create_symlink(in_folder, folder_ / "link");
  EXPECT_EQ(end_of(request({path("link")})).changeable, path("open"))
      << "a link is followed to what is run";
}

TEST_F(ProgramRun, RefusesToRunAsRootWhatOthersMayChange) {
  if (!is_root()) {
    GTEST_SKIP() << "only root runs programs as root";
  }
  ProgramRequest wanted = request({script("it", "echo > " + path("ran"), 0777)});
  wanted.user = find_program_user("root").value();
  EXPECT_EQ(end_of(wanted).to_string(),
            "cannot be started: " + path("it") +
                " can be changed by others than root, and it would run as root");
  EXPECT_FALSE(std::filesystem::exists(path("ran")));
  wanted.command = {script("own", "exit 0", 0755)};
  EXPECT_EQ(end_of(wanted).to_string(), "exit 0");
}

TEST_F(ProgramRun, DiesWithItsHandle) {
  share("pid");
  bool told = false;
  {
    const Program program = run_program(
        loop_,
        request({script("it", "trap '' TERM; sleep 1000 & echo $! > " + path("pid") + "; wait")}),
        [&](const ProgramEnd&) { told = true; });
    ASSERT_TRUE(run_until([&] { return !read("pid").empty(); }));
  }
  EXPECT_TRUE(run_until([&] { return children().empty(); }));
  std::string grandchild = read("pid");
  grandchild.pop_back();
  EXPECT_TRUE(run_until([&] { return !process_exists(grandchild); }));
  EXPECT_FALSE(told);
}

TEST_F(ProgramRun, DiesWithItsHandleInTheMomentOfItsStart) {
  for (int i = 0; i < 200; ++i) {
    const Program program = run_program(loop_, request({"/bin/sleep", "1000"}),
                                        [&](const ProgramEnd&) { FAIL() << "told"; });
  }
  EXPECT_TRUE(run_until([&] { return children().empty(); }));
}

TEST_F(ProgramRun, GoesOnWithoutItsHandleIfItMay) {
  share("said");
  {
    ProgramRequest wanted = request(
        {script("it", "while [ ! -e " + path("go") +
                          " ]; do sleep 0.01; done; echo on; echo gone > " + path("said"))});
    wanted.may_outlive = true;
    const Program program =
        run_program(loop_, wanted, [&](const ProgramEnd&) { FAIL() << "told"; });
  }
  write("go", "");
  EXPECT_TRUE(run_until([&] { return children().empty(); }));
  EXPECT_EQ(read("said"), "gone\n");
}

TEST_F(ProgramRun, OutlivesTheLoopAndMayStillWrite) {
  share("said");
  {
    boost::asio::io_context other;
    ProgramRequest wanted = request(
        {script("it", "while [ ! -e " + path("go") +
                          " ]; do sleep 0.01; done; echo on && echo gone > " + path("said"))});
    wanted.may_outlive = true;
    const Program program = run_program(other, wanted, [](const ProgramEnd&) {});
  }
  write("go", "");
  EXPECT_TRUE(run_until([&] { return read("said") == "gone\n"; }));
  EXPECT_GT(::waitpid(-1, nullptr, 0), 0);
}

TEST_F(ProgramRun, MayBeLetGoFromItsOwnEnd) {
  Program program;
  bool told = false;
  program = run_program(loop_, request({"/bin/true"}), [&](const ProgramEnd&) {
    program = Program();
    told = true;
  });
  EXPECT_TRUE(program.is_running());
  EXPECT_TRUE(run_until([&] { return told; }));
}

TEST_F(ProgramRun, IsNotTimedOutWhenTheLoopWasLate) {
  ProgramRequest wanted = request({"/bin/true"});
  wanted.timeout = milliseconds(50);
  std::optional<ProgramEnd> end;
  const Program program = run_program(loop_, wanted, [&](const ProgramEnd& what) { end = what; });
  // The loop does not run until the program has ended and its time is over.
  const auto until = steady_clock::now() + milliseconds(60);
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), 0);
  while (steady_clock::now() < until) {
  }
  ASSERT_TRUE(run_until([&] { return end.has_value(); }));
  EXPECT_EQ(end->to_string(), "exit 0");
}

TEST_F(ProgramRun, LeavesNeitherDescriptorsNorZombies) {
  const std::string good = script("good", "echo text");
  end_of(request({good}));  // the loop has opened its own by now
  const size_t before = open_descriptors();
  const std::string slow = script("slow", "sleep 1000");
  for (int round = 0; round < 20; ++round) {
    int told = 0;
    const auto count = [&](const ProgramEnd&) { ++told; };
    ProgramRequest late = request({slow});
    late.timeout = milliseconds(20);
    const Program one = run_program(loop_, request({good}), count);
    const Program two = run_program(loop_, request({path("missing")}), count);
    const Program three = run_program(loop_, late, count);
    { const Program killed = run_program(loop_, request({slow}), count); }
    ASSERT_TRUE(run_until([&] { return told == 3 && children().empty(); }));
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST(ProgramUser, MustBeAUserOfThisMachine) {
  const auto user = find_program_user("no-such-user");
  ASSERT_FALSE(user);
  EXPECT_EQ(user.error(), "script_user \"no-such-user\" is not a user of this machine");
}

TEST(ProgramUser, IsDescribedWithWhatIsMissing) {
  ProgramUser user;
  user.name = "nobody";
  user.user = 65534;
  user.can_become = true;
  EXPECT_EQ(describe(user), "programs run as nobody (uid 65534), without capabilities");
  user.can_become = false;
  EXPECT_THAT(describe(user),
              AllOf(HasSubstr("as ballastd's own user (uid "), HasSubstr("not as nobody: that"),
                    HasSubstr("CAP_SETUID, CAP_SETGID and CAP_KILL")));
}

}  // namespace
}  // namespace ballast::control
