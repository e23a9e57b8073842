#include "control/vrrp/lease_slots.h"

#include <algorithm>
#include <cassert>
#include <set>
#include <utility>

#include "dataplane/api/lease_page.h"

namespace ballast::control {

std::vector<RouterName> routers_of(const VrrpSettings& instance) {
  std::vector<RouterName> routers;
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    if (instance.has(family)) {
      routers.push_back({instance.interface, family, instance.virtual_router_id});
    }
  }
  return routers;
}

void LeaseSlots::set(const std::vector<VrrpSettings>& instances) {
  std::set<size_t> used_before = std::exchange(seen_, {});
  for (const auto& [router, slot] : slots_) {
    used_before.insert(slot);
  }
  std::map<RouterName, size_t> kept;
  std::vector<RouterName> fresh;
  std::set<size_t> taken{0};
  for (const VrrpSettings& instance : instances) {
    for (const RouterName& router : routers_of(instance)) {
      if (const auto known = slots_.find(router); known != slots_.end()) {
        kept.insert(*known);
        taken.insert(known->second);
      } else {
        fresh.push_back(router);
      }
    }
  }
  std::vector<size_t> free;
  for (size_t slot = 0; slot < kLeaseSlots; ++slot) {
    if (!taken.contains(slot)) {
      free.push_back(slot);
    }
  }
  std::stable_partition(free.begin(), free.end(),
                        [&](size_t slot) { return !used_before.contains(slot); });
  assert(fresh.size() <= free.size());
  for (size_t i = 0; i < fresh.size() && i < free.size(); ++i) {
    kept.emplace(fresh[i], free[i]);
  }
  slots_ = std::move(kept);
}

void LeaseSlots::adopt(const std::vector<VrrpSettings>& instances,
                       const ballast::api::State& state) {
  std::map<std::string, size_t> known;  // by address
  for (const ballast::api::Resource& resource : state.resources()) {
    if (resource.has_vip() && resource.vip().lease_slot() != 0 &&
        resource.vip().lease_slot() < kLeaseSlots) {
      known[resource.vip().address()] = resource.vip().lease_slot();
      seen_.insert(resource.vip().lease_slot());
    }
  }
  std::set<size_t> taken;
  slots_.clear();
  for (const VrrpSettings& instance : instances) {
    for (const RouterName& router : routers_of(instance)) {
      for (const IpAddress& address : instance.addresses_of(router.family)) {
        const auto found = known.find(address.to_string());
        if (found != known.end() && taken.insert(found->second).second) {
          slots_.emplace(router, found->second);
          break;
        }
      }
    }
  }
}

std::optional<size_t> LeaseSlots::slot_of(const RouterName& router) const {
  const auto found = slots_.find(router);
  return found == slots_.end() ? std::nullopt : std::optional(found->second);
}

VipLeases vip_leases(const std::vector<VrrpSettings>& instances, const LeaseSlots& slots) {
  VipLeases leases;
  for (const VrrpSettings& instance : instances) {
    for (const RouterName& router : routers_of(instance)) {
      const auto slot = slots.slot_of(router);
      assert(slot);
      const MacAddress mac =
          instance.virtual_mac ? vrrp::virtual_mac(router.family, vrrp::VirtualRouterId{router.id})
                               : MacAddress{};
      for (const IpAddress& address : instance.addresses_of(router.family)) {
        leases[address] = {slot.value_or(0), mac};
      }
    }
  }
  return leases;
}

}  // namespace ballast::control
