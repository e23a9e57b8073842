// How long two routers were active at once, as far as one of them can hear: an episode begins with
// the first advert of a rival that an active router hears, and ends when that one is silent for
// three of its intervals, or this router is not active any more. An episode lasts from its first
// advert to its last, a millisecond at least.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "vrrp/timing.h"

namespace ballast::vrrp {

struct BothActiveCount {
  uint64_t episodes = 0;
  Duration total{0};
  Duration longest{0};
  std::optional<TimePoint> since;       // of the present episode
  std::optional<TimePoint> last_heard;  // the last advert of any
};

class BothActiveMeter {
 public:
  // True: a new episode.
  bool rival_heard(TimePoint now, Duration rival_interval) {
    const bool is_new = !first_;
    if (is_new) {
      first_ = now;
      ++count_.episodes;
    }
    last_ = now;
    over_at_ = now + 3 * rival_interval;
    return is_new;
  }

  [[nodiscard]] TimePoint deadline() const { return first_ ? over_at_ : kNever; }
  [[nodiscard]] std::optional<TimePoint> since() const { return first_; }

  // Its length, when there was one.
  std::optional<Duration> end() {
    if (!first_) {
      return std::nullopt;
    }
    const Duration length = std::max<Duration>(last_ - *first_, std::chrono::milliseconds{1});
    first_.reset();
    count_.total += length;
    count_.longest = std::max(count_.longest, length);
    return length;
  }

  // The present episode included, as far as it has got.
  [[nodiscard]] BothActiveCount count() const {
    BothActiveCount count = count_;
    if (first_) {
      const Duration length = std::max<Duration>(last_ - *first_, std::chrono::milliseconds{1});
      count.total += length;
      count.longest = std::max(count.longest, length);
      count.since = first_;
    }
    if (count.episodes > 0) {
      count.last_heard = last_;
    }
    return count;
  }

 private:
  std::optional<TimePoint> first_;
  TimePoint last_;
  TimePoint over_at_;
  BothActiveCount count_;
};

}  // namespace ballast::vrrp
