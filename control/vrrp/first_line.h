// The first line that is not empty of a text that comes in pieces, as much of it as is kept: what a
// program says of itself, however much it writes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "healthcheck/printable.h"

namespace ballast::control {

class FirstLine {
 public:
  explicit FirstLine(size_t limit) : limit_(limit) {}

  void add(const char* data, size_t size) {
    for (const char* at = data; at != data + size && !complete_; ++at) {
      if (*at == '\n') {
        complete_ = !shown().empty();
        if (!complete_) {
          line_.clear();
        }
      } else {
        line_ += *at;
        complete_ = line_.size() > limit_;
      }
    }
  }

  [[nodiscard]] bool is_complete() const { return complete_; }
  [[nodiscard]] std::string text() const { return healthcheck::printable(shown(), limit_); }

 private:
  [[nodiscard]] std::string_view shown() const {
    constexpr std::string_view kBlanks = " \t\r";
    const std::string_view line = line_;
    const size_t begin = std::min(line.find_first_not_of(kBlanks), line.size());
    const size_t end = line.find_last_not_of(kBlanks) + 1;
    return begin < end ? line.substr(begin, end - begin) : std::string_view();
  }

  size_t limit_;
  std::string line_;
  bool complete_ = false;
};

}  // namespace ballast::control
