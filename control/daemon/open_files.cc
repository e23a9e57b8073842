#include "control/daemon/open_files.h"

#include <algorithm>

#include <sys/resource.h>

namespace ballast::control {
namespace {

constexpr uint64_t kForAllElse = 512;
constexpr uint64_t kMostChecks = 8192;

}  // namespace

uint64_t raise_open_files() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return 1024;  // what the kernel gives a process that says nothing
  }
  rlimit raised = limit;
  raised.rlim_cur = limit.rlim_max;
  return setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur : limit.rlim_cur;
}

uint32_t checks_at_once(uint64_t open_files) {
  const uint64_t reserved = std::min(kForAllElse, open_files / 2);
  return static_cast<uint32_t>(std::clamp<uint64_t>(open_files - reserved, 1, kMostChecks));
}

}  // namespace ballast::control
