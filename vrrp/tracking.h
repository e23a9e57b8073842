// What a group follows: the link of a port, the dataplane's heartbeat, the quorum of a service, a
// script, a file, a route. Who watches such a thing calls observe(); this decides when it counts as
// up or down, and what that means for the group.
//
// A thing is unknown until its first observation, which decides at once; as long as one is unknown
// the group has a fault, so that a returning node takes part only when it knows that it can. From
// then on it changes when `rise` (`fall`) observations in a row say so and the change has lasted
// for `up_delay` (`down_delay`); scripts count, links and routes wait.
//
// weight 0, the default: down is a fault. Otherwise the priority changes, as in keepalived: by a
// positive weight while it is up, by a negative one while it is down.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "vrrp/router_group.h"

namespace ballast::vrrp {

struct TrackSettings {
  std::string name;  // unique: "link wan", "script check-bgp"
  int weight = 0;    // -253..253
  uint32_t rise = 1;
  uint32_t fall = 1;
  Duration up_delay{0};
  Duration down_delay{0};

  friend bool operator==(const TrackSettings&, const TrackSettings&) = default;
};

inline constexpr int kMaximumWeight = 253;

// The first thing that is wrong, as `field: value: what would be right`.
tl::expected<void, std::string> validate(const TrackSettings& track);

class TrackedThing {
 public:
  explicit TrackedThing(TrackSettings settings) : settings_(std::move(settings)) {}

  // True: is_up() has changed.
  bool observe(TimePoint now, bool is_good, std::string text);
  bool tick(TimePoint now);
  [[nodiscard]] TimePoint deadline() const { return changes_at_; }

  // What is known stays, runs begin anew.
  void set_settings(TrackSettings settings);

  [[nodiscard]] const TrackSettings& settings() const { return settings_; }
  [[nodiscard]] std::optional<bool> is_up() const { return is_up_; }
  [[nodiscard]] const std::string& text() const { return text_; }  // of the last observation

 private:
  TrackSettings settings_;
  std::optional<bool> is_up_;
  uint32_t contrary_run_ = 0;
  TimePoint changes_at_ = kNever;  // unless an observation says otherwise before
  std::string text_;
};

class Tracking {
 public:
  // Declarative; what is still there keeps what is known of it.
  void set_things(const std::vector<TrackSettings>& things);

  // True: condition() has changed. A name that is not there is ignored.
  bool observe(TimePoint now, const std::string& name, bool is_good, std::string text);
  bool tick(TimePoint now);
  [[nodiscard]] TimePoint deadline() const;

  [[nodiscard]] Condition condition() const;
  [[nodiscard]] const std::map<std::string, TrackedThing>& things() const { return things_; }

 private:
  std::map<std::string, TrackedThing> things_;
};

}  // namespace ballast::vrrp
