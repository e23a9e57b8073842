// Which slot of the lease page (dataplane/api/lease_page.h) belongs to which virtual router.
//
// A router keeps its slot as long as it is configured, and over restarts of either daemon: a
// ballastd that starts takes over what the dataplane's VIPs say. A slot that has just become free
// is given away last, so that a new router does not inherit what is left of another one's lease.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "control/config/configuration.h"
#include "control/dataplane_link/vip_lease.h"
#include "dataplane/api/dataplane.pb.h"
#include "dataplane/packet/address.h"

namespace ballast::control {

// A virtual router as the configuration names it: the kernel's index of the interface may change.
struct RouterName {
  std::string interface;
  Family family = Family::kIpv4;
  uint8_t id = 0;

  friend auto operator<=>(const RouterName&, const RouterName&) = default;
};

std::vector<RouterName> routers_of(const VrrpSettings& instance);

class LeaseSlots {
 public:
  // Those that there should be from now on. More than the page has slots for are refused by the
  // configuration.
  void set(const std::vector<VrrpSettings>& instances);
  // What a dataplane knows from before; before set(). Slots of what is not configured any more are
  // given away last, too.
  void adopt(const std::vector<VrrpSettings>& instances, const ballast::api::State& state);

  [[nodiscard]] std::optional<size_t> slot_of(const RouterName& router) const;
  [[nodiscard]] const std::map<RouterName, size_t>& slots() const { return slots_; }

  friend bool operator==(const LeaseSlots&, const LeaseSlots&) = default;

 private:
  std::map<RouterName, size_t> slots_;
  std::set<size_t> seen_;  // in the dataplane's state
};

VipLeases vip_leases(const std::vector<VrrpSettings>& instances, const LeaseSlots& slots);

}  // namespace ballast::control
