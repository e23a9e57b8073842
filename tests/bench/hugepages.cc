#include "tests/bench/hugepages.h"

#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>

#include <fcntl.h>
#include <unistd.h>

namespace ballast::bench {
namespace {

constexpr const char* kPages = "/proc/sys/vm/nr_hugepages";
constexpr const char* kCompact = "/proc/sys/vm/compact_memory";
constexpr uint64_t kPageBytes = uint64_t{2} << 20U;
constexpr int kAttempts = 5;

// For the signal handler, which has no other way to know.
std::atomic<uint64_t> pages_to_give_back{0};

// Everything from here to give_back() may run in a signal handler: no allocation, no locks.
uint64_t read_pages() {
  std::array<char, 32> text{};
  const int file = open(kPages, O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    return 0;
  }
  const ssize_t length = read(file, text.data(), text.size());
  close(file);
  uint64_t pages = 0;
  for (ssize_t i = 0; i < length && text[i] >= '0' && text[i] <= '9'; ++i) {
    pages = pages * 10 + static_cast<uint64_t>(text[i] - '0');
  }
  return pages;
}

void write_number(const char* path, uint64_t number) {
  std::array<char, 24> text{};
  size_t at = text.size();
  do {
    text[--at] = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number != 0);
  const int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file >= 0) {
    const ssize_t written = write(file, text.data() + at, text.size() - at);
    static_cast<void>(written);
    close(file);
  }
}

void give_back() {
  const uint64_t extra = pages_to_give_back.exchange(0);
  const uint64_t present = read_pages();
  if (extra != 0 && present >= extra) {
    write_number(kPages, present - extra);
  }
}

// What still lies in the pages is freed when the process is gone.
extern "C" void on_end(int signal_number) {
  give_back();
  static_cast<void>(signal(signal_number, SIG_DFL));
  static_cast<void>(raise(signal_number));
}

}  // namespace

HugepageReservation::HugepageReservation(size_t bytes)
    : wanted_((bytes + kPageBytes - 1) / kPageBytes) {
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGABRT, SIGSEGV, SIGBUS}) {
    static_cast<void>(signal(number, on_end));
  }
  static_cast<void>(std::atexit(give_back));
  const uint64_t before = read_pages();
  // The kernel takes what is free in one piece; compaction may make more of it.
  for (int attempt = 0; attempt < kAttempts && got_ < wanted_; ++attempt) {
    if (attempt != 0) {
      write_number(kCompact, 1);
    }
    write_number(kPages, before + wanted_);
    const uint64_t present = read_pages();
    got_ = present > before ? present - before : 0;
    pages_to_give_back.store(got_);
  }
}

HugepageReservation::~HugepageReservation() {
  give_back();
}

}  // namespace ballast::bench
