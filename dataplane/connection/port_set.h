// A set of port numbers: one bit each, and any of them in a few steps.
#pragma once

#include <bit>
#include <cassert>
#include <cstdint>

namespace ballast {

// Zeroed memory is an empty set.
class PortSet {
 public:
  [[nodiscard]] uint32_t size() const { return size_; }

  // Adds a port that is not in it.
  void add(uint16_t port) {
    const uint32_t word = port / 64U;
    assert((words_[word] >> (port % 64U) & 1) == 0);
    words_[word] |= uint64_t{1} << (port % 64U);
    summary_[word / 64] |= uint64_t{1} << (word % 64);
    ++size_;
  }

  // Takes a port out of a set that is not empty.
  uint16_t take_any() {
    assert(size_ != 0);
    uint32_t part = 0;
    while (summary_[part] == 0) {
      ++part;
    }
    const uint32_t word = part * 64 + static_cast<uint32_t>(std::countr_zero(summary_[part]));
    const auto bit = static_cast<uint32_t>(std::countr_zero(words_[word]));
    words_[word] &= words_[word] - 1;
    if (words_[word] == 0) {
      summary_[part] &= summary_[part] - 1;
    }
    --size_;
    return static_cast<uint16_t>(word * 64 + bit);
  }

 private:
  uint64_t words_[1024];
  uint64_t summary_[16];  // bit per word that is not zero
  uint32_t size_;
};

}  // namespace ballast
