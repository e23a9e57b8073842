// Hugepages of 2 MiB for as long as a benchmark runs.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ballast::bench {

// Adds pages to those that the machine has set aside, and takes as many away again: at its end, at
// exit(), and when a signal ends the process. One at a time.
class HugepageReservation {
 public:
  explicit HugepageReservation(size_t bytes);
  ~HugepageReservation();
  HugepageReservation(const HugepageReservation&) = delete;
  HugepageReservation& operator=(const HugepageReservation&) = delete;

  // Whether all of them could be had.
  [[nodiscard]] bool complete() const { return got_ >= wanted_; }
  [[nodiscard]] uint64_t wanted() const { return wanted_; }
  [[nodiscard]] uint64_t got() const { return got_; }

 private:
  uint64_t wanted_;
  uint64_t got_ = 0;
};

}  // namespace ballast::bench
