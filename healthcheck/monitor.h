// Checks thousands of servers from one event loop, and says when the health of one changes.
//
// set_targets() is declarative: it is told all targets there should be, and does what it takes. A
// target that is as it was keeps its health, its counts and its place in time; one whose check
// changed goes on from its present health with a new check; one that is gone is forgotten, in the
// middle of a check too, and nothing more is heard of it.
//
// Every change of health is reported from the event loop the moment it is decided, before any
// further check is begun. Nothing is ever reported from inside set_targets(). A target that is not
// checked (kNone) is up from the moment it is set, and reported as up right after, unless it began
// as up.
//
// At most `max_in_flight` checks run at once; those that are due beyond that wait, the longest
// overdue first. The loop begins at most 64 checks in one turn, so that other work is never held up
// for long.
//
// Not thread-safe: everything happens on the thread that runs the event loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/packet/address.h"
#include "healthcheck/check_settings.h"
#include "healthcheck/health_state.h"

namespace boost::asio {
class io_context;
}

namespace ballast::healthcheck {

struct Target {
  std::string key;  // unique: service, address and port
  IpAddress address;
  uint16_t port = 0;  // the server's; settings.port takes precedence
  CheckSettings settings;
  // What is known before the first check. Counts only for a key that is new.
  Health initial = Health::kUnknown;
};

struct Flip {
  std::string key;
  Health from = Health::kUnknown;
  Health to = Health::kUnknown;
  std::string reason;  // the text of the result that decided
  TimePoint at;
};

struct TargetStatus {
  std::string key;
  IpAddress address;
  uint16_t port = 0;  // the one that is connected to
  CheckSettings settings;
  Health health = Health::kUnknown;
  TimePoint since;
  uint32_t contrary_run = 0;  // results in a row against the present health
  HealthCounts counts;
  std::string last_text;  // empty before the first result
  std::optional<TimePoint> last_ended;
  std::chrono::microseconds last_duration{0};
  bool in_flight = false;
  std::optional<TimePoint> next_due;  // none while in flight, and for kNone
};

struct MonitorOptions {
  uint32_t max_in_flight = 1024;
  // Of the jitter. Equal seeds and keys give equal schedules.
  uint64_t seed = 0;
};

struct MonitorCounters {
  uint64_t checks = 0;        // that ended with a result
  uint64_t inconclusive = 0;  // errors of this machine's own
  uint64_t flips = 0;
  uint32_t in_flight = 0;
  uint32_t waiting = 0;  // due, but max_in_flight are running
};

class Monitor {
 public:
  // May call set_targets(), and may destroy the monitor.
  using OnFlip = std::function<void(const Flip&)>;

  // `loop` outlives the monitor.
  Monitor(boost::asio::io_context& loop, MonitorOptions options, OnFlip on_flip);
  ~Monitor();
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;

  // Settings are valid by validate(). Of several targets with one key the last counts.
  void set_targets(std::vector<Target> targets);

  [[nodiscard]] std::optional<Health> health(std::string_view key) const;

  // Sorted by key.
  [[nodiscard]] std::vector<TargetStatus> snapshot() const;
  [[nodiscard]] MonitorCounters counters() const;

  class Core;

 private:
  std::shared_ptr<Core> core_;
};

}  // namespace ballast::healthcheck
