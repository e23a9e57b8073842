#include "control/vrrp/program.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/vrrp/first_line.h"
#include "control/vrrp/program_child.h"
#include "healthcheck/printable.h"
#include "toml_reader/duration.h"

namespace ballast::control {
namespace {

using boost::system::error_code;
using Stream = boost::asio::posix::stream_descriptor;

constexpr std::chrono::milliseconds kGrace{500};  // from SIGTERM to SIGKILL
constexpr size_t kReadAtOnce = 16384;
// Of what is in the pipe at the end: as much as the largest pipe of an unprivileged user holds.
constexpr int kLastReads = 64;

// Two ends of a pipe; each is closed unless it is taken.
class Pipe {
 public:
  Pipe() {
    if (pipe2(ends_.data(), O_CLOEXEC) != 0) {
      ends_ = {-1, -1};
    } else {
      fcntl(ends_[0], F_SETFL, O_NONBLOCK);  // ours; the program's blocks, as it may expect
    }
  }
  ~Pipe() {
    for (const int end : ends_) {
      if (end >= 0) {
        ::close(end);
      }
    }
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  [[nodiscard]] bool is_open() const { return ends_[0] >= 0; }
  [[nodiscard]] int read_end() const { return ends_[0]; }
  [[nodiscard]] int write_end() const { return ends_[1]; }
  int take_read_end() { return std::exchange(ends_[0], -1); }

 private:
  std::array<int, 2> ends_{-1, -1};
};

std::string words_of(int error) {
  return std::generic_category().message(error);
}

// For execve().
std::vector<const char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<const char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const std::string& text : texts) {
    pointers.push_back(text.c_str());
  }
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

std::string ProgramEnd::to_string() const {
  std::string text;
  switch (how) {
    case How::kNotStarted:
      return "cannot be started: " + error;
    case How::kExited:
      text = fmt::format("exit {}", number);
      break;
    case How::kKilled: {
      const char* words = sigdescr_np(number);
      text = fmt::format("killed by signal {}{}", number,
                         words != nullptr ? fmt::format(" ({})", words) : "");
      break;
    }
    case How::kTimedOut:
      text = fmt::format("timed out after {}", format_duration(timeout));
      break;
  }
  return output.empty() ? text : fmt::format("{}: {}", text, output);
}

// Kept by what waits in the loop until the child is reaped, whatever becomes of the handle.
class Program::Run : public std::enable_shared_from_this<Run> {
 public:
  Run(boost::asio::io_context& loop, ProgramRequest request,
      std::function<void(const ProgramEnd&)> on_end, std::function<void()> on_timeout)
      : loop_(loop),
        request_(std::move(request)),
        on_end_(std::move(on_end)),
        on_timeout_(std::move(on_timeout)),
        pidfd_(loop),
        output_(loop),
        timer_(loop),
        line_(request_.output_limit) {}

  ~Run() { close_report(); }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  void start() {
    if (const int error = start_child(); error != 0) {
      is_reaped_ = true;
      ProgramEnd end;
      end.how = ProgramEnd::How::kNotStarted;
      end.error = words_of(error);
      boost::asio::post(loop_, [self = shared_from_this(), end] { self->tell(end); });
      return;
    }
    timer_.expires_after(request_.timeout);
    timer_.async_wait([self = shared_from_this()](const error_code& error) {
      if (!error) {
        self->time_is_over();
      }
    });
    wait_for_end();
    wait_for_output();
  }

  void let_go() {
    on_end_ = nullptr;
    on_timeout_ = nullptr;
    if (!request_.may_outlive) {
      send(SIGKILL);
    }
  }

  [[nodiscard]] bool is_told() const { return is_told_; }

 private:
  // 0, or errno.
  int start_child() {
    if (request_.command.empty()) {
      return ENOENT;
    }
    Pipe output;
    Pipe report;
    if (!output.is_open() || !report.is_open()) {
      return errno;
    }
    std::vector<std::string> environment{
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"};
    environment.insert(environment.end(), request_.environment.begin(), request_.environment.end());
    const std::vector<const char*> argument_pointers = pointers_to(request_.command);
    const std::vector<const char*> environment_pointers = pointers_to(environment);
    const ChildPlan plan{.arguments = argument_pointers.data(),
                         .environment = environment_pointers.data(),
                         .become = request_.user.can_become,
                         .user = request_.user.user,
                         .group = request_.user.group,
                         .groups = request_.user.groups.data(),
                         .group_count = request_.user.groups.size(),
                         .output = output.write_end(),
                         .report = report.write_end(),
                         .may_outlive = request_.may_outlive};
    error_code refused;
    output_.assign(output.read_end(), refused);
    if (refused) {
      return refused.value();
    }
    output.take_read_end();
    report_ = report.take_read_end();
    return clone_child(plan);
  }

  // Like fork(), and the child's pidfd comes with it or there is no child. Every signal waits
  // meanwhile: in the child, ballastd's handlers would tell ballastd of it.
  int clone_child(const ChildPlan& plan) {
    int pidfd = -1;
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const long pid = syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, nullptr, &pidfd, nullptr, nullptr);
    if (pid == 0) {
      become_program(plan);
    }
    const int error = pid < 0 ? errno : 0;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (pid < 0) {
      return error;
    }
    pid_ = static_cast<pid_t>(pid);
    error_code refused;
    pidfd_.assign(pidfd, refused);
    if (refused) {  // no memory for the loop to watch it: it stays a zombie
      syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0);
      ::close(pidfd);
    }
    return refused.value();
  }

  void wait_for_end() {
    pidfd_.async_wait(Stream::wait_read, [self = shared_from_this()](const error_code& error) {
      if (!error) {
        self->ended();
      }
    });
  }

  void wait_for_output() {
    output_.async_wait(Stream::wait_read, [self = shared_from_this()](const error_code& error) {
      if (error || self->is_reaped_) {
        return;
      }
      if (self->read_some()) {
        self->wait_for_output();
      } else {
        error_code ignored;
        self->output_.close(ignored);
      }
    });
  }

  // False: nobody will write any more.
  bool read_some() {
    std::array<char, kReadAtOnce> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init)
    const ssize_t size = read(output_.native_handle(), buffer.data(), buffer.size());
    if (size > 0) {
      line_.add(buffer.data(), static_cast<size_t>(size));
      return true;
    }
    is_dry_ = true;
    return size < 0 && (errno == EAGAIN || errno == EINTR);
  }

  void time_is_over() {
    if (is_reaped_) {
      return;
    }
    if (has_ended()) {  // in time, and it is the loop that is late
      return ended();
    }
    is_over_ = true;
    send(SIGTERM);
    timer_.expires_after(kGrace);
    timer_.async_wait([self = shared_from_this()](const error_code& error) {
      if (!error) {
        self->send(SIGKILL);
      }
    });
    if (const auto tell = std::exchange(on_timeout_, nullptr)) {
      tell();
    }
  }

  // To the child, which may not have its group yet, and to the group. Until the child is reaped its
  // number is nobody else's.
  void send(int signal) {
    if (is_reaped_) {
      return;
    }
    syscall(SYS_pidfd_send_signal, pidfd_.native_handle(), signal, nullptr, 0);
    kill(-pid_, signal);
  }

  [[nodiscard]] bool has_ended() {
    siginfo_t info{};
    return waitid(P_PIDFD, static_cast<id_t>(pidfd_.native_handle()), &info,
                  WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid != 0;
  }

  void ended() {
    if (is_reaped_) {
      return;
    }
    if (!request_.may_outlive || is_over_) {
      send(SIGKILL);  // what it left behind
    }
    is_dry_ = false;
    for (int i = 0; i < kLastReads && output_.is_open() && !is_dry_ && !line_.is_complete(); ++i) {
      read_some();
    }
    siginfo_t info{};
    const bool is_known =
        waitid(P_PIDFD, static_cast<id_t>(pidfd_.native_handle()), &info, WEXITED | WNOHANG) == 0 &&
        info.si_pid == pid_;
    is_reaped_ = true;
    error_code ignored;
    pidfd_.close(ignored);
    output_.close(ignored);
    timer_.cancel();
    tell(describe_end(is_known, info));
  }

  ProgramEnd describe_end(bool is_known, const siginfo_t& info) {
    ProgramEnd end;
    end.timeout = request_.timeout;
    end.output = line_.text();
    end.number = info.si_status;
    if (is_over_) {
      end.how = ProgramEnd::How::kTimedOut;
    } else if (!is_known) {
      end.how = ProgramEnd::How::kNotStarted;
      end.error = "its end is not known";
    } else if (info.si_code != CLD_EXITED) {
      end.how = ProgramEnd::How::kKilled;
    }
    add_reports(end);
    return end;
  }

  void close_report() {
    if (report_ >= 0) {
      ::close(std::exchange(report_, -1));
    }
  }

  void add_reports(ProgramEnd& end) {
    ChildReport report;
    while (read(report_, &report, sizeof report) == static_cast<ssize_t>(sizeof report)) {
      const std::string path = healthcheck::printable(report.path.data(), report.path.size());
      switch (report.what) {
        case ChildReport::What::kFailed:
          end.how = ProgramEnd::How::kNotStarted;
          end.error = fmt::format("{}{}{}", report.step.data(), report.step[0] != '\0' ? ": " : "",
                                  words_of(report.error));
          break;
        case ChildReport::What::kRefused:
          end.how = ProgramEnd::How::kNotStarted;
          end.changeable = path;
          end.error =
              fmt::format("{} can be changed by others than root, and it would run as root", path);
          break;
        case ChildReport::What::kChangeable:
          end.changeable = path;
          break;
      }
    }
    close_report();
  }

  void tell(const ProgramEnd& end) {
    is_told_ = true;
    on_timeout_ = nullptr;
    if (const auto on_end = std::exchange(on_end_, nullptr)) {
      on_end(end);
    }
  }

  boost::asio::io_context& loop_;
  ProgramRequest request_;
  std::function<void(const ProgramEnd&)> on_end_;
  std::function<void()> on_timeout_;
  Stream pidfd_;
  Stream output_;
  boost::asio::steady_timer timer_;
  FirstLine line_;
  pid_t pid_ = -1;
  int report_ = -1;
  bool is_over_ = false;    // the time
  bool is_dry_ = false;     // the pipe, when it was read last
  bool is_reaped_ = false;  // or there never was a child
  bool is_told_ = false;
};

Program::Program(std::shared_ptr<Run> run) : run_(std::move(run)) {}

Program::Program(Program&& other) noexcept = default;

Program& Program::operator=(Program&& other) noexcept {
  if (this != &other) {
    if (run_) {
      run_->let_go();
    }
    run_ = std::move(other.run_);
  }
  return *this;
}

Program::~Program() {
  if (run_) {
    run_->let_go();
  }
}

bool Program::is_running() const {
  return run_ && !run_->is_told();
}

Program run_program(boost::asio::io_context& loop, ProgramRequest request,
                    std::function<void(const ProgramEnd&)> on_end,
                    std::function<void()> on_timeout) {
  auto run = std::make_shared<Program::Run>(loop, std::move(request), std::move(on_end),
                                            std::move(on_timeout));
  run->start();
  return Program(std::move(run));
}

}  // namespace ballast::control
