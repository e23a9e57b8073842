// How long everything takes: RFC 9568 section 6.1 and RFC 3768 section 6.1, in nanoseconds.
//
// Nothing is ever rounded to what the wire can carry: with intervals of 10 ms a skew in
// centiseconds is 0 for every priority, and two backups rise together. Times are of a monotonic
// clock and always an argument.
#pragma once

#include <chrono>

#include "vrrp/identity.h"

namespace ballast::vrrp {

using TimePoint = std::chrono::steady_clock::time_point;
using Duration = std::chrono::nanoseconds;

inline constexpr TimePoint kNever = TimePoint::max();

// What a v3 advert can say: 12 bits of centiseconds. v2: 8 bits of seconds.
inline constexpr Duration kMinimumIntervalV3 = std::chrono::milliseconds{10};
inline constexpr Duration kMaximumIntervalV3 = std::chrono::milliseconds{40'950};
inline constexpr Duration kMinimumIntervalV2 = std::chrono::seconds{1};
inline constexpr Duration kMaximumIntervalV2 = std::chrono::seconds{255};

// (256 - priority) / 256 of an interval; of a second in v2, whatever the interval.
Duration skew_time(Version version, Priority priority, Duration interval);

// 3 * interval + skew.
Duration active_down_interval(Version version, Priority priority, Duration interval);

// What a backup believes of an interval that an advert announces: at most max(10 * own, 2 s), so
// that one forged advert of 40.95 s does not silence it for two minutes; and it announces as much
// at most when it wants to be silent for a while (RouterGroup::prepare_restart).
Duration longest_believed_interval(Duration own);
Duration believed_interval(Duration announced, Duration own);

// 2.4 intervals: less than three of them by a clock that is 10 % slow.
Duration lease_duration(Duration interval);

// An active router that has sent nothing for longer than this has not been running (SIGSTOP, a
// snapshot of the machine), and must not assert itself: 2 * interval + skew.
Duration freeze_threshold(Version version, Priority priority, Duration interval);

// After this much silence the lease of whoever sent the last advert has ended, by a clock that is
// 10 % slow, the advert's way included: 2.7 intervals.
Duration lease_silence(Duration interval);

// How long a router that was not running listens before it acts. One interval would do for an
// active router that is on time; the one that is late itself may still hold its lease.
Duration listening_time(Duration interval);

}  // namespace ballast::vrrp
