// What each VRRP group may do: faults and weights, from all that is known of this node.
#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "control/daemon/vrrp_part.h"
#include "control/daemon/vrrp_timers.h"
#include "toml_reader/duration.h"

namespace ballast::control {
namespace {

// How often it is looked whether checks have run and delays are over, while something waits.
constexpr std::chrono::milliseconds kReadinessPeriod{50};

std::set<IpAddress> vips_of(const VrrpGroup& group) {
  std::set<IpAddress> vips;
  for (const VrrpSettings* member : group.members) {
    vips.insert(member->addresses.begin(), member->addresses.end());
  }
  return vips;
}

}  // namespace

void VrrpPart::update_conditions() {
  bool waits = false;
  for (const VrrpGroup& group : groups_of(configuration_.vrrp)) {
    Group& known = groups_[group.name];
    vrrp::Condition condition = condition_of(group, known);
    waits = waits || !known.checks_have_run || !runs_on_configuration_ || is_delayed(group, known);
    if (known.is_told && condition != known.condition) {
      if (!condition.faults.empty() && condition.faults != known.condition.faults) {
        spdlog::warn("vrrp \"{}\": fault: {}", group.name, fmt::join(condition.faults, "; "));
      }
      known.condition = condition;
      speaker_->set_condition(group.name, std::move(condition));
    }
  }
  arm_tracking_timer();
  if (waits && link_.connected()) {
    timers_->readiness.expires_after(kReadinessPeriod);
    timers_->readiness.async_wait([this](const boost::system::error_code& error) {
      if (!error) {
        update();
      }
    });
  }
}

vrrp::Condition VrrpPart::condition_of(const VrrpGroup& group, Group& known) {
  observe_tracks(group, *known.tracking);
  if (known.is_adopted && !known.is_told) {
    // It was good enough before the restart.
    trust_until_observed(*known.tracking, "not looked at since ballastd was restarted");
  }
  vrrp::Condition condition = known.tracking->condition();
  std::vector<std::string> faults;
  add_port_faults(group, faults);
  add_readiness_faults(group, known, faults);
  condition.faults.insert(condition.faults.begin(), faults.begin(), faults.end());
  // What is wrong before what only takes its time.
  std::stable_partition(condition.faults.begin(), condition.faults.end(),
                        [](const std::string& fault) { return !fault.ends_with(" yet"); });
  return condition;
}

// A node that takes part already does not stop because something else is to be looked at: that
// counts as up until somebody has.
void VrrpPart::trust_until_observed(vrrp::Tracking& tracking, const std::string& text) {
  for (const auto& [name, thing] : tracking.things()) {
    if (!thing.is_up()) {
      tracking.observe(std::chrono::steady_clock::now(), name, true, text);
    }
  }
}

// Of the ports that adverts leave by: nobody has to ask for that.
void VrrpPart::add_port_faults(const VrrpGroup& group, std::vector<std::string>& faults) const {
  std::set<std::string> seen;
  for (const VrrpSettings* member : group.members) {
    const std::string& name = member->interface;
    if (!seen.insert(name).second || ports_.empty()) {
      continue;
    }
    if (!ports_.contains(name)) {
      faults.push_back(fmt::format("interface {} is not a port of the dataplane, which has {}",
                                   name, fmt::join(port_order_, ", ")));
    } else if (!port_is_up(name)) {
      faults.push_back(fmt::format("port {}: the link is down", name));
    }
  }
}

void VrrpPart::add_readiness_faults(const VrrpGroup& group, Group& known,
                                    std::vector<std::string>& faults) {
  if (!link_.connected()) {
    faults.emplace_back("the dataplane is not connected");
    return;
  }
  if (!page_trouble_.empty()) {
    faults.push_back(page_trouble_);
  }
  runs_on_configuration_ = runs_on_configuration_ || link_.runs_on_configuration();
  if (!runs_on_configuration_ && !known.is_adopted) {
    faults.push_back(
        link_.trouble().empty()
            ? "the dataplane does not run on the configuration yet"
            : fmt::format("the dataplane does not run on the configuration: {}", link_.trouble()));
  }
  if (!known.checks_have_run) {
    const ServersPart::Unchecked unchecked = servers_.not_checked_yet(vips_of(group));
    known.checks_have_run = unchecked.count == 0;
    if (!known.checks_have_run) {
      faults.push_back(fmt::format("health checks of {} of {} servers, {} first, have not run yet",
                                   unchecked.count, unchecked.of, unchecked.first));
    }
  }
  if (is_delayed(group, known)) {
    faults.push_back(fmt::format("start_delay: {} after the start of ballastd",
                                 format_duration(group.members.front()->start_delay)));
  }
}

bool VrrpPart::is_delayed(const VrrpGroup& group, const Group& known) const {
  return !known.is_adopted &&
         std::chrono::steady_clock::now() - started_ < group.members.front()->start_delay;
}

void VrrpPart::observe_tracks(const VrrpGroup& group, vrrp::Tracking& tracking) const {
  const vrrp::TimePoint now = std::chrono::steady_clock::now();
  for (const VrrpSettings* member : group.members) {
    for (const VrrpTrack& track : member->tracks) {
      switch (track.kind) {
        case VrrpTrack::Kind::kPort: {
          const bool is_up = port_is_up(track.subject);
          tracking.observe(now, track.name(), is_up,
                           ports_.contains(track.subject)
                               ? fmt::format("the link is {}", is_up ? "up" : "down")
                               : "the dataplane has no such port");
          break;
        }
        case VrrpTrack::Kind::kService: {
          const auto [usable, quorum] = servers_.quorum_of(track.subject);
          tracking.observe(
              now, track.name(), usable >= quorum,
              fmt::format("{} servers can take connections, the quorum is {}", usable, quorum));
          break;
        }
        case VrrpTrack::Kind::kRoute: {
          const bool is_there = route_is_there(track.subject);
          tracking.observe(now, track.name(), is_there,
                           is_there ? "the kernel has it" : "the kernel has no such route");
          break;
        }
        case VrrpTrack::Kind::kScript:
        case VrrpTrack::Kind::kFile:
          break;  // they tell by themselves
      }
    }
  }
}

void VrrpPart::observed(const std::string& group, const std::string& name, bool is_good,
                        const std::string& text) {
  const auto found = groups_.find(group);
  if (found == groups_.end() || !found->second.tracking) {
    return;
  }
  if (found->second.tracking->observe(std::chrono::steady_clock::now(), name, is_good, text)) {
    world_changed();
  }
  arm_tracking_timer();
}

// Of a port on a kernel interface the kernel is asked: it knows first.
bool VrrpPart::port_is_up(const std::string& name) const {
  const auto port = ports_.find(name);
  if (port == ports_.end()) {
    return false;
  }
  if (port->second.kernel_interface().empty()) {
    return port->second.up();
  }
  const netlink::Link* link = kernel_.state().link_named(port->second.kernel_interface());
  return link != nullptr && link->up;
}

bool VrrpPart::route_is_there(const std::string& prefix) const {
  const auto wanted = Prefix::parse(prefix);
  if (!wanted) {
    return false;
  }
  const netlink::KernelState& kernel = kernel_.state();
  const auto can_be_used = [&kernel](const netlink::KernelHop& hop) {
    const netlink::Link* link = kernel.link(hop.link);
    return link != nullptr && link->up;
  };
  for (auto it = kernel.routes.lower_bound({*wanted, 0});
       it != kernel.routes.end() && it->first.prefix == *wanted; ++it) {
    for (const netlink::KernelRoute& route : it->second) {
      if (std::ranges::any_of(route.hops, can_be_used)) {
        return true;
      }
    }
  }
  return false;
}

void VrrpPart::arm_tracking_timer() {
  vrrp::TimePoint earliest = vrrp::kNever;
  for (const auto& [name, group] : groups_) {
    if (group.tracking) {
      earliest = std::min(earliest, group.tracking->deadline());
    }
  }
  if (earliest == vrrp::kNever) {
    timers_->tracking.cancel();
    return;
  }
  timers_->tracking.expires_at(earliest);
  timers_->tracking.async_wait([this](const boost::system::error_code& error) {
    if (error) {
      return;
    }
    const vrrp::TimePoint now = std::chrono::steady_clock::now();
    for (auto& [name, group] : groups_) {
      group.tracking->tick(now);
    }
    update();
  });
}

}  // namespace ballast::control
