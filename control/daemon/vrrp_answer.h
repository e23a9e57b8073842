// What the speaker knows of its routers, as the API says it. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/api/control.pb.h"
#include "control/config/configuration.h"
#include "control/vrrp/speaker_groups.h"
#include "vrrp/speaker.h"

namespace ballast::control {

api::VrrpState to_api(vrrp::State state);

// One instance, of a group of this status; `group` is null when the speaker has none, for the
// reasons in `faults`. `interface_index` is 0 when the kernel has no such interface.
struct VrrpView {
  const VrrpSettings& settings;
  int interface_index = 0;
  const vrrp::GroupStatus* group = nullptr;
  const vrrp::Tracking* tracking = nullptr;
  std::vector<std::string> faults;
  std::optional<vrrp::GroupSettings> group_settings;  // as the speaker has them
  std::vector<vrrp::TrackSettings> group_tracks;
  std::optional<vrrp::StrangeClaim> strange_claim;  // of any address
  const std::map<IpAddress, AddressUse>& uses;      // those not there are VIPs
  vrrp::TimePoint now;
};

void fill(const VrrpView& view, api::VrrpInstance& instance);
void fill(const VrrpView& view, api::VrrpSummary& summary);
void fill_strangers(const vrrp::SpeakerStatus& status, vrrp::TimePoint now,
                    api::ListVrrpAnswer& answer);

}  // namespace ballast::control
