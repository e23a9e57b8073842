#include "vrrp/tracking.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>

namespace ballast::vrrp {

tl::expected<void, std::string> validate(const TrackSettings& track) {
  if (track.name.empty()) {
    return tl::unexpected(std::string("name: empty: every tracked thing has a name"));
  }
  if (std::abs(track.weight) > kMaximumWeight) {
    return tl::unexpected(fmt::format("weight: {}: must be -{} to {}, 0 for FAULT", track.weight,
                                      kMaximumWeight, kMaximumWeight));
  }
  if (track.rise == 0 || track.fall == 0) {
    return tl::unexpected(std::string("rise, fall: 0: must be at least 1"));
  }
  if (track.up_delay < Duration{0} || track.down_delay < Duration{0}) {
    return tl::unexpected(std::string("up_delay, down_delay: negative: must be 0 or more"));
  }
  return {};
}

bool TrackedThing::observe(TimePoint now, bool is_good, std::string text) {
  text_ = std::move(text);
  if (!is_up_) {
    is_up_ = is_good;
    return true;
  }
  if (is_good == *is_up_) {
    contrary_run_ = 0;
    changes_at_ = kNever;
    return false;
  }
  const uint32_t needed = is_good ? settings_.rise : settings_.fall;
  contrary_run_ = std::min(contrary_run_ + 1, needed);
  if (contrary_run_ >= needed && changes_at_ == kNever) {
    changes_at_ = now + (is_good ? settings_.up_delay : settings_.down_delay);
  }
  return tick(now);
}

bool TrackedThing::tick(TimePoint now) {
  if (now < changes_at_) {
    return false;
  }
  is_up_ = !*is_up_;
  contrary_run_ = 0;
  changes_at_ = kNever;
  return true;
}

void TrackedThing::set_settings(TrackSettings settings) {
  if (settings == settings_) {
    return;
  }
  settings_ = std::move(settings);
  contrary_run_ = 0;
  changes_at_ = kNever;
}

void Tracking::set_things(const std::vector<TrackSettings>& things) {
  std::map<std::string, TrackedThing> wanted;
  for (const TrackSettings& thing : things) {
    const auto found = things_.find(thing.name);
    if (found == things_.end()) {
      wanted.emplace(thing.name, TrackedThing(thing));
    } else {
      found->second.set_settings(thing);
      wanted.emplace(thing.name, found->second);
    }
  }
  things_ = std::move(wanted);
}

bool Tracking::observe(TimePoint now, const std::string& name, bool is_good, std::string text) {
  const auto found = things_.find(name);
  return found != things_.end() && found->second.observe(now, is_good, std::move(text));
}

bool Tracking::tick(TimePoint now) {
  bool has_changed = false;
  for (auto& [name, thing] : things_) {
    has_changed |= thing.tick(now);
  }
  return has_changed;
}

TimePoint Tracking::deadline() const {
  TimePoint earliest = kNever;
  for (const auto& [name, thing] : things_) {
    earliest = std::min(earliest, thing.deadline());
  }
  return earliest;
}

Condition Tracking::condition() const {
  Condition condition;
  for (const auto& [name, thing] : things_) {
    const int weight = thing.settings().weight;
    if (!thing.is_up()) {
      condition.faults.push_back(fmt::format("{}: not known yet", name));
    } else if (weight == 0 && !*thing.is_up()) {
      condition.faults.push_back(fmt::format("{}: {}", name, thing.text()));
    } else if (*thing.is_up() == (weight > 0)) {
      condition.priority_change += weight;
    }
  }
  return condition;
}

}  // namespace ballast::vrrp
