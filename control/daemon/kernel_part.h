// The daemon's part that deals with the kernel: what the kernel knows of the twins is told to the
// dataplane, what the configuration asks for is put on the twins, and neighbours are resolved.
//
// Its other end is the link (dataplane_link/link.h): ports, routes and neighbours are resources
// there, and only what differs is said. Twins are known when a dataplane has named its ports; until
// then changes of the kernel concern interfaces only.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "control/config/configuration.h"
#include "control/dataplane_link/link.h"
#include "control/dataplane_link/next_hops.h"
#include "control/netlink/interface_setup.h"
#include "control/netlink/mirror.h"
#include "control/netlink/multicast_groups.h"
#include "control/netlink/neighbor_memory.h"
#include "control/netlink/resolver.h"

namespace boost::asio {
class io_context;
}

namespace ballast::control {

class KernelPart {
 public:
  struct Callbacks {
    // All of the kernel's tables have been told to the link.
    std::function<void()> on_complete;
    // Links, addresses or routes of any interface have changed.
    std::function<void()> on_change;
  };

  // `configuration` is the one in force, and changes in place; it, `loop` and `link` outlive the
  // part.
  static tl::expected<std::unique_ptr<KernelPart>, std::string> open(
      boost::asio::io_context& loop, const Configuration& configuration, DataplaneLink& link,
      Callbacks callbacks);
  ~KernelPart();
  KernelPart(const KernelPart&) = delete;
  KernelPart& operator=(const KernelPart&) = delete;

  // A dataplane is there: the twins are its ports.
  void set_twins(const ballast::api::HelloAnswer& hello);
  // MACs that a dataplane knows from before.
  void adopt(const std::map<netlink::NextHop, MacAddress>& neighbors);
  // Tells the link all that concerns the twins.
  void say_everything();
  void configuration_changed();
  void on_neighbor_needed(const ballast::api::NeighborNeeded& needed);

  // All of the kernel's tables are known.
  [[nodiscard]] bool complete() const { return mirror_->complete(); }
  [[nodiscard]] const netlink::KernelState& state() const { return mirror_->state(); }
  // In force over the twins.
  [[nodiscard]] const EffectiveRoutes& routes() const { return routes_; }

  // What is wrong at present, with what it is about.
  struct Problem {
    std::string subject;
    std::string text;
  };
  [[nodiscard]] std::vector<Problem> problems() const;

 private:
  KernelPart(const Configuration& configuration, DataplaneLink& link, Callbacks callbacks);

  void on_change(const netlink::KernelChanges& changes);
  void update_ports();
  void update_routes(const netlink::KernelChanges& changes);
  void set_route(const Prefix& prefix, std::optional<netlink::EffectiveRoute> route);
  void update_neighbors(const std::set<netlink::NextHop>& changed);
  void follow_next_hops();
  void set_interfaces();
  void join_groups();
  [[nodiscard]] std::set<IpAddress> dataplane_addresses() const;
  [[nodiscard]] bool is_wanted(const netlink::NextHop& next_hop) const;

  const Configuration& configuration_;
  DataplaneLink& link_;
  Callbacks callbacks_;

  std::set<std::string> twins_;  // names of the dataplane's ports
  EffectiveRoutes routes_;
  netlink::NeighborMemory neighbors_;
  std::set<netlink::NextHop> server_hops_;
  std::deque<netlink::NextHop>
      needed_order_;  // that the dataplane asked for; the oldest are forgotten
  std::set<netlink::NextHop> needed_hops_;  // the same, to be looked up
  netlink::MulticastGroups groups_;

  std::unique_ptr<netlink::Mirror> mirror_;
  std::unique_ptr<netlink::Resolver> resolver_;
  std::unique_ptr<netlink::InterfaceSetup> interfaces_;
};

}  // namespace ballast::control
