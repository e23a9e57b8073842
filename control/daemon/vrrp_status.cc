// What is shown of VRRP.
#include <algorithm>
#include <map>
#include <utility>

#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include "control/daemon/vrrp_answer.h"
#include "control/daemon/vrrp_part.h"
#include "control/daemon/vrrp_timers.h"

namespace ballast::control {

void VrrpPart::fetch_status(const OnStatus& done) const {
  if (!speaker_) {
    return done({});
  }
  speaker_->request_status([this, done](vrrp::SpeakerStatus status) {
    boost::asio::post(loop_, [done, status = std::move(status)] { done(status); });
  });
}

std::optional<VrrpGroup> VrrpPart::find_group(const std::string& name) const {
  for (VrrpGroup& group : groups_of(configuration_.vrrp)) {
    if (group.name == name || group.has(name)) {
      return std::move(group);
    }
  }
  return std::nullopt;
}

// Why the speaker has no such group.
std::string VrrpPart::interface_fault(const VrrpGroup& group) const {
  for (const VrrpSettings* member : group.members) {
    if (kernel_.state().link_named(member->interface) == nullptr) {
      return fmt::format(
          "there is no interface {}: is the dataplane running, and is it a port of "
          "dataplane.toml?",
          member->interface);
    }
  }
  return "ballastd is starting";
}

template <typename Use>
void VrrpPart::each_view(const vrrp::SpeakerStatus& status, const Use& use) const {
  std::map<IpAddress, AddressUse> uses;
  for (const HeldAddress& held : held_addresses(configuration_)) {
    if (held.use != AddressUse::kServices) {
      uses.emplace(held.address, held.use);
    }
  }
  for (const VrrpSettings& settings : configuration_.vrrp) {
    const std::string name = group_of(settings);
    VrrpView view{.settings = settings,
                  .interface_index = 0,
                  .group = nullptr,
                  .tracking = nullptr,
                  .faults = {},
                  .group_settings = {},
                  .group_tracks = {},
                  .strange_claim = status.strange_claim,
                  .uses = uses,
                  .now = std::chrono::steady_clock::now()};
    if (const netlink::Link* link = kernel_.state().link_named(settings.interface)) {
      view.interface_index = link->index;
    }
    if (const auto known = groups_.find(name); known != groups_.end()) {
      view.tracking = known->second.tracking.get();
      view.faults = known->second.condition.faults;
    }
    const auto group = find_group(settings.name);
    if (group) {
      view.group_settings = group_settings(*group, kernel_.state());
      view.group_tracks = track_settings(*group);
    }
    const auto found = std::ranges::find(status.groups, name, &vrrp::GroupStatus::name);
    if (found != status.groups.end()) {
      view.group = &*found;
    } else if (group) {
      view.faults = {interface_fault(*group)};
    }
    use(view);
  }
}

void VrrpPart::fill(const vrrp::SpeakerStatus& status, const std::string& name,
                    api::ListVrrpAnswer& answer) const {
  each_view(status, [&](const VrrpView& view) {
    if (name.empty() || name == view.settings.name || name == view.settings.group) {
      control::fill(view, *answer.add_instances());
    }
  });
  fill_strangers(status, std::chrono::steady_clock::now(), answer);
}

void VrrpPart::fill_summaries(const vrrp::SpeakerStatus& status, api::StatusAnswer& answer) const {
  each_view(status, [&](const VrrpView& view) { control::fill(view, *answer.add_vrrp()); });
}

}  // namespace ballast::control
