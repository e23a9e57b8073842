// The services as workers see them, each at a position that stays with its name.
//
// A slot's position gives its two pools their indexes (2n and 2n+1), so that the workers' scheduler
// cursors stay with the service. A service that is removed retires: its object stays, with empty
// pools, as long as connections to its servers may be left, and is revived when the name comes
// again. In mode TUN both families' pools hold all servers, and share one scheduler. Free slots
// hold an empty service, never null.
//
// Objects are replaced, never changed; a scheduler is built anew only when its servers, their
// weights or its kind changed, and the object only when something in it did. The new scheduler of a
// pool is shown the old one, from which it may take over what did not change.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "dataplane/scheduler/scheduler.h"
#include "dataplane/service/virtual_service.h"
#include "dataplane/world/local_address_indexes.h"
#include "dataplane/world/server_registry.h"
#include "dataplane/world/specification.h"

namespace ballast {

class ServiceSlots {
 public:
  ServiceSlots();

  // The slot of this name, live from now on; it has an empty object until build().
  ServiceSlot acquire(const std::string& name);
  [[nodiscard]] std::optional<ServiceSlot> find(const std::string& name) const;
  // Every server of `service` must be in the registry, and there is an index for every local
  // address.
  void build(ServiceSlot slot, const ServiceSpecification& service, const ServerRegistry& registry,
             LocalAddressIndexes& local_addresses);
  void retire(ServiceSlot slot);
  void free(ServiceSlot slot);  // of a retired one

  [[nodiscard]] const VirtualService& object(ServiceSlot slot) const {
    return *objects_[static_cast<size_t>(slot)];
  }
  // By slot.
  [[nodiscard]] const std::vector<std::shared_ptr<const VirtualService>>& objects() const {
    return objects_;
  }
  [[nodiscard]] size_t used() const { return by_name_.size(); }  // live and retired
  [[nodiscard]] const std::set<ServiceSlot>& retired() const { return retired_; }

 private:
  // What the scheduler of a pool was built from.
  struct PoolSource {
    std::string scheduler;
    std::vector<SchedulableServer> usable;
    std::vector<SchedulableServer> resting;
  };

  void build_pools(ServiceSlot slot, const ServiceSpecification& service,
                   const ServerRegistry& registry, VirtualService& object);
  static void add_server(PoolSource& pool, const ServerSpecification& server, ServerIndex index);
  static bool same(const PoolSource& a, const PoolSource& b);
  static void build_pool(PoolSource& present, PoolSource wanted, Pool& pool);

  struct Sources {
    PoolSource ipv4;
    PoolSource ipv6;
  };

  std::shared_ptr<const VirtualService> empty_;
  std::vector<std::shared_ptr<const VirtualService>> objects_;  // by slot
  std::vector<Sources> sources_;                                // by slot
  std::vector<ServiceSlot> free_;
  std::map<std::string, ServiceSlot> by_name_;
  std::set<ServiceSlot> retired_;
};

}  // namespace ballast
