// When to try again what the kernel refused, and when to stop trying. Pure: time is an argument.
//
// The pauses between tries double, from `first` to `longest`. What is asked for by people who may
// be gone (see interface_setup.h) is given up when it has failed for `give_up_after`; the number of
// tries does not matter, since other events may bring any number of them.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

namespace ballast::netlink {

struct RetryLimits {
  std::chrono::milliseconds first{500};
  std::chrono::milliseconds longest = std::chrono::seconds(30);
  std::chrono::milliseconds give_up_after = std::chrono::minutes(2);
};

class RetryBackoff {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit RetryBackoff(const RetryLimits& limits) : limits_(limits), pause_(limits.first) {}

  // A try has failed. A try before the one that is due changes nothing in when that is.
  void failed(Time now) {
    if (!failing_) {
      failing_ = true;
      since_ = now;
      due_ = now + pause_;
    } else if (now >= due_) {
      pause_ = std::min(pause_ * 2, limits_.longest);
      due_ = now + pause_;
    }
  }
  void succeeded() {
    failing_ = false;
    pause_ = limits_.first;
  }

  // Of the next try; nothing while all is well.
  [[nodiscard]] std::optional<Time> due() const {
    return failing_ ? std::optional(due_) : std::nullopt;
  }
  [[nodiscard]] bool exhausted(Time now) const {
    return failing_ && now - since_ >= limits_.give_up_after;
  }

 private:
  RetryLimits limits_;
  std::chrono::milliseconds pause_;
  bool failing_ = false;
  Time since_;  // the first failure
  Time due_;
};

}  // namespace ballast::netlink
