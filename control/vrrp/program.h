// An external program: a check script, or one that is notified. It is started as an unprivileged
// user in a session of its own, is given a time, and its end is told in words.
//
// Nothing here waits. The child is made by clone(), without atfork handlers and without sharing
// memory with it: vfork() would hold the loop up until the program's file is read, which on a
// network file system may be never. What that costs grows with what ballastd has in memory: 0.15 ms
// when small, 2 ms at 100 MB, 11 ms at 400 MB. The end is seen on the child's pidfd; exactly this
// child is reaped.
//
// The program: no shell; PATH, LANG and what is given are its environment; working directory "/",
// umask 022, stdin empty, no other descriptors, default signals, ordinary scheduling, at most 1024
// open files unless it asks for more, no capabilities and no way to gain any (program_user.h).
//
// Of what it writes, the first line is kept; the rest is read and forgotten, so that it never has
// to wait for a reader. Its end is its end: what it left behind may hold the pipe open.
//
// Time is over: SIGTERM to the process group, after 500 ms SIGKILL. One that waits for a disk or a
// network file system in the kernel dies only after that, and only then is its end told.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "control/vrrp/program_user.h"

namespace boost::asio {
class io_context;
}

namespace ballast::control {

struct ProgramRequest {
  std::vector<std::string> command;  // an absolute path, then arguments
  ProgramUser user;
  std::vector<std::string> environment;  // "NAME=value", besides PATH and LANG
  std::chrono::milliseconds timeout{1000};
  size_t output_limit = 200;  // characters of the first line that are kept
  // False: it dies with its handle, and whatever it started dies with it. True: destroying the
  // handle only means that nobody wants to know its end, and it may leave processes behind.
  bool may_outlive = false;
};

struct ProgramEnd {
  enum class How : uint8_t { kExited, kKilled, kTimedOut, kNotStarted };

  How how = How::kExited;
  int number = 0;                        // of kExited the status, of kKilled the signal
  std::chrono::milliseconds timeout{0};  // that was given
  std::string error;                     // of kNotStarted: why
  // The first line that is not empty of what it wrote, in printable ASCII.
  std::string output;
  // A file or folder on the program's path that others than root and the program's user may
  // change, and with it what is run here. Empty: there is none.
  std::string changeable;

  [[nodiscard]] bool is_good() const { return how == How::kExited && number == 0; }
  // "exit 0", "exit 1: BGP session down", "killed by signal 11 (Segmentation fault)", "timed out
  // after 1s", "cannot be started: No such file or directory".
  [[nodiscard]] std::string to_string() const;
};

// The handle of a program. An empty one is of no program.
class Program {
 public:
  Program() = default;
  ~Program();
  Program(Program&& other) noexcept;
  Program& operator=(Program&& other) noexcept;

  // Until its end has been told.
  [[nodiscard]] bool is_running() const;

  class Run;

 private:
  friend Program run_program(boost::asio::io_context&, ProgramRequest,
                             std::function<void(const ProgramEnd&)>, std::function<void()>);
  explicit Program(std::shared_ptr<Run> run);

  std::shared_ptr<Run> run_;
};

// `on_end` is called once from the loop, never from here, also if the program cannot be started;
// it may destroy the handle. `on_timeout`, if there is one, is called before it, when the time is
// over and the program is told to end. After the handle is destroyed neither is called. `loop`
// outlives the handle.
Program run_program(boost::asio::io_context& loop, ProgramRequest request,
                    std::function<void(const ProgramEnd&)> on_end,
                    std::function<void()> on_timeout = nullptr);

}  // namespace ballast::control
