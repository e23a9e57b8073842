// All that the accepted transactions together ask for, by key. It is what GetState reads back.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "dataplane/neighbor/route_table.h"
#include "dataplane/world/change_set.h"
#include "dataplane/world/specification.h"

namespace ballast {

class DesiredState {
 public:
  [[nodiscard]] const std::map<std::string, SharedService>& services() const { return services_; }
  [[nodiscard]] const std::map<IpAddress, VipSpecification>& vips() const { return vips_; }
  [[nodiscard]] const std::shared_ptr<const RouteTable>& routes() const { return routes_; }
  [[nodiscard]] const std::map<NeighborTable::Key, NeighborSpecification>& neighbors() const {
    return neighbors_;
  }
  [[nodiscard]] const std::map<PortIndex, PortSpecification>& ports() const { return ports_; }
  [[nodiscard]] const std::optional<SettingsSpecification>& settings() const { return settings_; }
  [[nodiscard]] uint64_t generation() const { return generation_; }

  // Who listens where, over all services; the names are keys of services().
  using Listeners = std::map<Listener, std::string, ListenerOrder>;
  [[nodiscard]] const Listeners& listeners() const { return listeners_; }
  [[nodiscard]] size_t servers() const { return servers_; }  // over all services

  // `routes` is the table with the changes of routes made.
  void commit(const ChangeSet& changes, std::shared_ptr<const RouteTable> routes);

  [[nodiscard]] api::State to_api(std::span<const std::string> port_names) const;

 private:
  void commit_services(const ChangeSet& changes);

  uint64_t generation_ = 0;
  std::map<std::string, SharedService> services_;
  std::map<IpAddress, VipSpecification> vips_;
  std::shared_ptr<const RouteTable> routes_ = std::make_shared<const RouteTable>();
  std::map<NeighborTable::Key, NeighborSpecification> neighbors_;
  std::map<PortIndex, PortSpecification> ports_;
  std::optional<SettingsSpecification> settings_;
  Listeners listeners_;
  size_t servers_ = 0;
};

}  // namespace ballast
