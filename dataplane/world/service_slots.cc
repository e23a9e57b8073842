#include "dataplane/world/service_slots.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "dataplane/scheduler/scheduler_list.h"

namespace ballast {
namespace {

size_t position(ServiceSlot slot) {
  return static_cast<size_t>(slot);
}

PoolIndex pool_index(ServiceSlot slot, Family family) {
  return PoolIndex{static_cast<uint32_t>(slot) * 2 + (family == Family::kIpv4 ? 0U : 1U)};
}

std::shared_ptr<const Scheduler> make_scheduler(const SchedulerDescription& description,
                                                const PoolServers& servers,
                                                const Scheduler* previous) {
  std::unique_ptr<Scheduler> scheduler = description.make();
  scheduler->set_pool(servers, previous);
  return scheduler;
}

bool same_servers(const std::vector<SchedulableServer>& a,
                  const std::vector<SchedulableServer>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const SchedulableServer& one, const SchedulableServer& other) {
                      // The index says address and port.
                      return one.server == other.server && one.weight == other.weight;
                    });
}

bool same_but_for_pools(const VirtualService& a, const VirtualService& b) {
  return a.name == b.name && a.mode == b.mode && a.on_no_server == b.on_no_server &&
         a.on_server_down == b.on_server_down && a.sloppy_tcp == b.sloppy_tcp &&
         a.timeouts == b.timeouts;
}

}  // namespace

ServiceSlots::ServiceSlots() {
  auto empty = std::make_shared<VirtualService>();
  empty->ipv4.scheduler = make_scheduler(all_schedulers().front(), {}, nullptr);
  empty->ipv6.scheduler = empty->ipv4.scheduler;
  empty_ = std::move(empty);
}

ServiceSlot ServiceSlots::acquire(const std::string& name) {
  const auto [place, is_new] = by_name_.try_emplace(name, ServiceSlot{});
  if (!is_new) {
    retired_.erase(place->second);
    return place->second;
  }
  if (free_.empty()) {
    place->second = ServiceSlot{static_cast<uint32_t>(objects_.size())};
    objects_.push_back(empty_);
    sources_.emplace_back();
  } else {
    place->second = free_.back();
    free_.pop_back();
  }
  return place->second;
}

std::optional<ServiceSlot> ServiceSlots::find(const std::string& name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? std::nullopt : std::optional(found->second);
}

void ServiceSlots::build(ServiceSlot slot, const ServiceSpecification& service,
                         const ServerRegistry& registry) {
  auto object = std::make_shared<VirtualService>();
  object->name = service.name;
  object->mode = service.mode;
  object->on_no_server = service.on_no_server;
  object->on_server_down = service.on_server_down;
  object->sloppy_tcp = service.sloppy_tcp;
  for (size_t state = 0; state < kConnectionStates; ++state) {
    if (service.timeout_seconds[state] != 0) {
      object->timeouts.seconds[state] = service.timeout_seconds[state];
    }
  }
  PoolSource ipv4{service.scheduler, {}, {}};
  PoolSource ipv6{service.scheduler, {}, {}};
  for (const ServerSpecification& server : service.servers) {
    add_server(server.address.is_v4() ? ipv4 : ipv6, server,
               registry.find(slot, server.address, server.port));
  }
  std::shared_ptr<const VirtualService>& present = objects_[position(slot)];
  object->ipv4 = {pool_index(slot, Family::kIpv4), present->ipv4.scheduler};
  object->ipv6 = {pool_index(slot, Family::kIpv6), present->ipv6.scheduler};
  build_pool(sources_[position(slot)].ipv4, std::move(ipv4), object->ipv4);
  build_pool(sources_[position(slot)].ipv6, std::move(ipv6), object->ipv6);
  if (!same_but_for_pools(*object, *present) || object->ipv4.scheduler != present->ipv4.scheduler ||
      object->ipv6.scheduler != present->ipv6.scheduler) {
    present = std::move(object);
  }
}

// A server without weight in force counts with its configured one: that is what it will have when
// it comes back.
void ServiceSlots::add_server(PoolSource& pool, const ServerSpecification& server,
                              ServerIndex index) {
  const bool usable = server.weight > 0 && server.override_in_force == api::NO_OVERRIDE;
  const uint32_t weight = server.weight > 0 ? server.weight : server.configured_weight;
  if (weight > 0) {
    (usable ? pool.usable : pool.resting).push_back({index, server.address, server.port, weight});
  }
}

bool ServiceSlots::same(const PoolSource& a, const PoolSource& b) {
  return a.scheduler == b.scheduler && same_servers(a.usable, b.usable) &&
         same_servers(a.resting, b.resting);
}

void ServiceSlots::build_pool(PoolSource& present, PoolSource wanted, Pool& pool) {
  if (!same(present, wanted)) {
    pool.scheduler = make_scheduler(*find_scheduler(wanted.scheduler),
                                    {wanted.usable, wanted.resting}, pool.scheduler.get());
    present = std::move(wanted);
  }
}

void ServiceSlots::retire(ServiceSlot slot) {
  auto object = std::make_shared<VirtualService>(*objects_[position(slot)]);
  object->ipv4.scheduler = empty_->ipv4.scheduler;
  object->ipv6.scheduler = empty_->ipv6.scheduler;
  objects_[position(slot)] = std::move(object);
  sources_[position(slot)] = {};  // a scheduler's name is never empty: build() makes all anew
  retired_.insert(slot);
}

void ServiceSlots::free(ServiceSlot slot) {
  assert(retired_.contains(slot));
  retired_.erase(slot);
  by_name_.erase(objects_[position(slot)]->name);
  objects_[position(slot)] = empty_;
  free_.push_back(slot);
}

}  // namespace ballast
