// What a router that is not active knows of the one that is, and whether it may depose it.
//
// Without preemption a healthy active router is left alone whatever its priority. Healthy means: it
// has not lowered its priority from at least this router's own to below it. So a node that returns
// with a higher priority does not take over, but one whose active peer begins to fail its tracking
// does.
//
// With preemption a router of lower priority is deposed, `preempt_delay` after it was first heard.
// The address owner always preempts (RFC 9568 section 6.1, Preempt_Mode).
#pragma once

#include <optional>

#include "vrrp/timing.h"

namespace ballast::vrrp {

// What all routers of a group have in common.
struct Terms {
  Priority priority = kDefaultPriority;  // in force
  bool preempt = false;
  Duration preempt_delay{0};
  Duration announce_refresh{0};
  bool is_held = false;      // moved away on purpose: no preemption until released
  bool decides_ties = true;  // the first of its group

  friend bool operator==(const Terms&, const Terms&) = default;
};

class RivalWatch {
 public:
  // An advert with a priority of 1 or more. True: it is left alone.
  bool is_respected(TimePoint now, const IpAddress& source, Priority priority, Duration interval,
                    const Terms& terms);

  // Of the last advert with a priority of 1 or more.
  [[nodiscard]] const std::optional<IpAddress>& source() const { return source_; }
  [[nodiscard]] Priority priority() const { return priority_; }
  [[nodiscard]] Duration interval() const { return interval_; }
  [[nodiscard]] TimePoint heard_at() const { return heard_at_; }
  // Its priority was at least this router's own, and fell below.
  [[nodiscard]] bool has_fallen() const { return has_fallen_; }
  [[nodiscard]] Priority priority_before_fall() const { return priority_before_fall_; }
  // One was heard, has not released, and may still hold its lease.
  [[nodiscard]] bool is_alive(TimePoint now) const {
    return source_ && !has_released_ && now < silent_at();
  }
  [[nodiscard]] TimePoint silent_at() const { return heard_at_ + lease_silence(interval_); }
  [[nodiscard]] bool has_released() const { return has_released_; }

  void released() { has_released_ = true; }
  // This router begins to take part: the preempt delay counts from the next advert.
  void restart_delay() { lower_since_.reset(); }
  void forget() { *this = RivalWatch{}; }

 private:
  std::optional<IpAddress> source_;
  Priority priority_{};
  Duration interval_{0};
  TimePoint heard_at_;
  bool has_released_ = false;
  bool has_fallen_ = false;
  Priority priority_before_fall_{};
  std::optional<TimePoint> lower_since_;
};

}  // namespace ballast::vrrp
