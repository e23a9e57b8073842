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

std::shared_ptr<const std::vector<ServerIndex>> indexes_of(
    const std::vector<SchedulableServer>& servers) {
  std::vector<ServerIndex> indexes;
  indexes.reserve(servers.size());
  for (const SchedulableServer& server : servers) {
    indexes.push_back(server.server);
  }
  return std::make_shared<const std::vector<ServerIndex>>(std::move(indexes));
}

bool same_servers(const std::vector<SchedulableServer>& a,
                  const std::vector<SchedulableServer>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const SchedulableServer& one, const SchedulableServer& other) {
                      // The index says address, port and mode.
                      return one.server == other.server && one.weight == other.weight;
                    });
}

bool same_but_for_pools(const VirtualService& a, const VirtualService& b) {
  return a.name == b.name && a.mode == b.mode && a.on_no_server == b.on_no_server &&
         a.on_server_down == b.on_server_down && a.sloppy_tcp == b.sloppy_tcp &&
         a.one_packet == b.one_packet && a.timeouts == b.timeouts && a.local_ipv4 == b.local_ipv4 &&
         a.local_ipv6 == b.local_ipv6 && a.listeners == b.listeners;
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
                         const ServerRegistry& registry, LocalAddressIndexes& local_addresses) {
  auto object = std::make_shared<VirtualService>();
  object->name = service.name;
  object->mode = service.mode;
  object->on_no_server = service.on_no_server;
  object->on_server_down = service.on_server_down;
  object->sloppy_tcp = service.sloppy_tcp;
  object->one_packet = service.one_packet;
  object->listeners = service.listeners;
  for (const IpAddress& address : service.local_addresses) {
    (address.is_v4() ? object->local_ipv4 : object->local_ipv6)
        .push_back(local_addresses.intern(address));
  }
  for (size_t state = 0; state < kConnectionStates; ++state) {
    if (service.timeout_seconds[state] != 0) {
      object->timeouts.seconds[state] = service.timeout_seconds[state];
    }
  }
  build_pools(slot, service, registry, *object);
  std::shared_ptr<const VirtualService>& present = objects_[position(slot)];
  if (!same_but_for_pools(*object, *present) || object->ipv4.scheduler != present->ipv4.scheduler ||
      object->ipv6.scheduler != present->ipv6.scheduler) {
    present = std::move(object);
  }
}

void ServiceSlots::build_pools(ServiceSlot slot, const ServiceSpecification& service,
                               const ServerRegistry& registry, VirtualService& object) {
  const bool any_family = service.mode == ForwardingMode::kTunnel;
  PoolSource ipv4{service.scheduler, {}, {}};
  PoolSource ipv6{service.scheduler, {}, {}};
  for (const ServerSpecification& server : service.servers) {
    add_server(any_family || server.address.is_v4() ? ipv4 : ipv6, server,
               registry.find(slot, server.address, server.port, service.mode));
  }
  const VirtualService& present = *objects_[position(slot)];
  Sources& sources = sources_[position(slot)];
  object.ipv4 = {pool_index(slot, Family::kIpv4), present.ipv4.scheduler, present.ipv4.servers};
  object.ipv6 = {pool_index(slot, Family::kIpv6), present.ipv6.scheduler, present.ipv6.servers};
  build_pool(sources.ipv4, std::move(ipv4), object.ipv4);
  if (any_family) {
    object.ipv6.scheduler = object.ipv4.scheduler;
    object.ipv6.servers = object.ipv4.servers;
    sources.ipv6 = {};  // matches nothing: in another mode the pool is built anew
  } else {
    build_pool(sources.ipv6, std::move(ipv6), object.ipv6);
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
    pool.servers = indexes_of(wanted.usable);
    present = std::move(wanted);
  }
}

void ServiceSlots::retire(ServiceSlot slot) {
  auto object = std::make_shared<VirtualService>(*objects_[position(slot)]);
  object->ipv4.scheduler = empty_->ipv4.scheduler;
  object->ipv6.scheduler = empty_->ipv6.scheduler;
  object->ipv4.servers.reset();
  object->ipv6.servers.reset();
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
