// What a child does between clone() and execve(): all that makes an ordinary, powerless process of
// a copy of ballastd. Only system calls, no memory, no locks: ballastd has several threads, and
// what the others held is held for ever here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace ballast::control {

struct ChildPlan {
  const char* const* arguments = nullptr;  // the first is the path; ends with null, as the next
  const char* const* environment = nullptr;
  bool become = false;  // user, group and groups
  uint32_t user = 0;
  uint32_t group = 0;
  const uint32_t* groups = nullptr;
  size_t group_count = 0;
  int output = -1;  // a pipe's end to write to: stdout and stderr
  int report = -1;  // likewise, for a ChildReport; closed by execve()
  // The output can be written to when nobody is left to read it.
  bool may_outlive = false;
};

// What the child says of itself; at most one of each, and one write, no longer than PIPE_BUF.
struct ChildReport {
  enum class What : uint32_t { kFailed = 1, kChangeable = 2, kRefused = 3 };

  What what = What::kFailed;
  int32_t error = 0;             // of kFailed: errno
  std::array<char, 24> step{};   // of kFailed: the system call; empty: execve
  std::array<char, 224> path{};  // of the others: the part of the path that others may change
};

[[noreturn]] void become_program(const ChildPlan& plan);

}  // namespace ballast::control
