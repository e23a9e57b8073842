#include "control/vrrp/program_child.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// The wrappers of glibc that change the user do so in all threads, by signals: these are called
// past it.
namespace ballast::control {
namespace {

constexpr int kCannotStart = 127;  // as shells say it; the report says why
constexpr int kReportNumber = 3;   // STDERR_FILENO + 1
constexpr int kFirstFree = 4;
constexpr rlim_t kOpenFiles = 1024;  // beyond it select() does not see descriptors

class Child {
 public:
  explicit Child(const ChildPlan& plan)
      : plan_(plan), target_user_(plan.become ? plan.user : getuid()) {}

  [[noreturn]] void run() {
    setsid();
    report_ = fcntl(plan_.report, F_DUPFD_CLOEXEC, kFirstFree);
    forget_signal_handlers();
    become_ordinary();
    check_path();
    arrange_descriptors();
    limit_descriptors();
    drop_powers();
    allow_signals();
    // execve() takes no const for C's sake, and changes nothing.
    execve(plan_.arguments[0], const_cast<char* const*>(plan_.arguments),
           const_cast<char* const*>(plan_.environment));
    fail("");
  }

 private:
  [[noreturn]] void fail(const char* step) {
    ChildReport report;
    report.error = errno;
    memcpy(report.step.data(), step, strnlen(step, report.step.size() - 1));
    send(report);
    _exit(kCannotStart);
  }

  void send(const ChildReport& report) const {
    [[maybe_unused]] const ssize_t unheard = write(report_, &report, sizeof report);
  }

  // A handler that ran here would act for ballastd: signals are blocked until there are none. What
  // is ignored would stay so through execve().
  static void forget_signal_handlers() {
    struct sigaction usual {};
    usual.sa_handler = SIG_DFL;
    for (int signal = 1; signal <= SIGRTMAX; ++signal) {
      sigaction(signal, &usual, nullptr);
    }
  }

  static void allow_signals() {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
  }

  // What cannot be had is done without.
  static void become_ordinary() {
    const sched_param usual{};
    sched_setscheduler(0, SCHED_OTHER, &usual);
    setpriority(PRIO_PROCESS, 0, 0);
    if (const int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC); file >= 0) {
      [[maybe_unused]] const ssize_t ignored = write(file, "0", 1);
      close(file);
    }
    umask(S_IWGRP | S_IWOTH);
    [[maybe_unused]] const int ignored = chdir("/");
  }

  // "/proc/self/fd/12"
  class DescriptorPath {
   public:
    explicit DescriptorPath(int descriptor) {
      constexpr int kTen = 10;
      char* end = text_.data() + sizeof kFolder - 1;
      int digits = 1;
      for (int rest = descriptor; rest >= kTen; rest /= kTen) {
        ++digits;
      }
      for (int at = digits - 1; at >= 0; --at, descriptor /= kTen) {
        end[at] = static_cast<char>('0' + descriptor % kTen);
      }
      memcpy(text_.data(), kFolder, sizeof kFolder - 1);
    }
    [[nodiscard]] const char* text() const { return text_.data(); }

   private:
    static constexpr char kFolder[] = "/proc/self/fd/";
    std::array<char, 32> text_{};
  };

  // Looks at the program's real path, without links. What cannot be looked at is left to execve().
  void check_path() {
    const int file = open(plan_.arguments[0], O_PATH | O_CLOEXEC);
    if (file < 0) {
      return;
    }
    std::array<char, PATH_MAX> path{};
    const ssize_t length = readlink(DescriptorPath(file).text(), path.data(), path.size() - 1);
    close(file);
    if (length <= 0 || path[0] != '/') {
      return;
    }
    for (ssize_t end = 1; end <= length; ++end) {
      if (path[static_cast<size_t>(end)] == '/' || path[static_cast<size_t>(end)] == '\0') {
        const char after = path[static_cast<size_t>(end)];
        path[static_cast<size_t>(end)] = '\0';
        if (can_be_changed(path.data())) {
          return say_changeable(path.data());
        }
        path[static_cast<size_t>(end)] = after;
      }
    }
  }

  // By somebody who is neither root nor the program's user. In a sticky folder others cannot
  // replace what is not theirs, and the owner of what is in it is looked at next.
  [[nodiscard]] bool can_be_changed(const char* path) const {
    struct stat status {};
    if (lstat(path, &status) != 0) {
      return false;
    }
    if (status.st_uid != 0 && status.st_uid != target_user_) {
      return true;
    }
    if (S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX) != 0) {
      return false;
    }
    return (status.st_mode & S_IWOTH) != 0 ||
           ((status.st_mode & S_IWGRP) != 0 && status.st_gid != 0);
  }

  // What runs as root must be root's own.
  void say_changeable(const char* path) {
    ChildReport report;
    report.what = target_user_ == 0 ? ChildReport::What::kRefused : ChildReport::What::kChangeable;
    memcpy(report.path.data(), path, strnlen(path, report.path.size() - 1));
    send(report);
    if (target_user_ == 0) {
      _exit(kCannotStart);
    }
  }

  // A pipe that is opened for reading too has always a reader: a program that outlives ballastd
  // does not die by its first line of output after that.
  [[nodiscard]] int output() const {
    if (plan_.may_outlive) {
      const int both = open(DescriptorPath(plan_.output).text(), O_RDWR | O_CLOEXEC);
      if (both >= 0) {
        return both;
      }
    }
    return plan_.output;
  }

  void arrange_descriptors() {
    // Above all that they will be, so that none is overwritten before it is used.
    const int input = fcntl(open("/dev/null", O_RDONLY | O_CLOEXEC), F_DUPFD_CLOEXEC, kFirstFree);
    const int out = fcntl(output(), F_DUPFD_CLOEXEC, kFirstFree);
    if (input < 0 || out < 0 || dup2(input, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
        dup2(out, STDERR_FILENO) < 0) {
      fail("dup2");
    }
    if (dup3(report_, kReportNumber, O_CLOEXEC) < 0) {
      fail("dup3");
    }
    report_ = kReportNumber;
    if (syscall(SYS_close_range, kFirstFree, ~0U, 0) != 0) {
      fail("close_range");
    }
  }

  // When ballastd's own are closed, which may be more.
  static void limit_descriptors() {
    rlimit open_files{};
    if (getrlimit(RLIMIT_NOFILE, &open_files) == 0) {
      open_files.rlim_cur = std::min(kOpenFiles, open_files.rlim_max);
      setrlimit(RLIMIT_NOFILE, &open_files);
    }
  }

  // The bounding set while CAP_SETPCAP may be there; the sets of the process last, because the
  // user is changed by what is in them.
  void drop_powers() {
    for (unsigned long capability = 0; capability < 64; ++capability) {
      prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
    }
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (plan_.become) {
      if (syscall(SYS_setgroups, plan_.group_count, plan_.groups) != 0) {
        fail("setgroups");
      }
      if (syscall(SYS_setresgid, plan_.group, plan_.group, plan_.group) != 0) {
        fail("setresgid");
      }
      if (syscall(SYS_setresuid, plan_.user, plan_.user, plan_.user) != 0) {
        fail("setresuid");
      }
    }
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    const std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> nothing{};
    if (syscall(SYS_capset, &header, nothing.data()) != 0) {
      fail("capset");
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
      fail("no_new_privs");
    }
  }

  const ChildPlan& plan_;
  uint32_t target_user_;
  int report_ = -1;
};

}  // namespace

void become_program(const ChildPlan& plan) {
  Child(plan).run();
}

}  // namespace ballast::control
