#include "vrrp/rival_watch.h"

namespace ballast::vrrp {

bool RivalWatch::is_respected(TimePoint now, const IpAddress& source, Priority priority,
                              Duration interval, const Terms& terms) {
  const bool is_same = source_ == source && !has_released_;
  const bool is_lower = priority < terms.priority;
  if (!is_lower || !is_same) {
    has_fallen_ = false;
    lower_since_.reset();
  }
  if (is_lower && is_same && priority_ >= terms.priority) {
    has_fallen_ = true;
    priority_before_fall_ = priority_;
  }
  if (is_lower && !lower_since_) {
    lower_since_ = now;
  }
  source_ = source;
  priority_ = priority;
  interval_ = interval;
  heard_at_ = now;
  has_released_ = false;
  if (!is_lower) {
    return true;
  }
  if (terms.priority == kAddressOwner) {
    return false;
  }
  if (terms.is_held) {
    return true;
  }
  if (terms.preempt) {
    return now - *lower_since_ < terms.preempt_delay;
  }
  return !has_fallen_;
}

}  // namespace ballast::vrrp
