// The control daemon as a whole: configuration, health, the kernel's tables and the dataplane,
// wired together.
//
// Theory of operation
//   Everything runs in one event loop and nothing in it blocks. Three sources change what the
//   dataplane should know: the configuration (a reload), the servers (health checks, overrides by
//   hand) and the kernel (links, addresses, routes, neighbours). Each is turned into resources of
//   the contract and left to the link, which tells the dataplane what differs. Nothing is told
//   before the kernel's tables are complete, so that a restarted ballastd never takes away what it
//   has not seen yet; and health and overrides that the dataplane knows are adopted first.
//
//   When it stops, the dataplane goes on forwarding as it was told last.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "control/api/handler.h"
#include "control/api/server.h"
#include "control/config/diff.h"
#include "control/config/load.h"
#include "control/dataplane_link/link.h"
#include "control/dataplane_link/next_hops.h"
#include "control/netlink/interface_setup.h"
#include "control/netlink/mirror.h"
#include "control/netlink/multicast_groups.h"
#include "control/netlink/resolver.h"
#include "control/port_rates.h"
#include "healthcheck/monitor.h"

namespace boost::asio {
class io_context;
}

namespace ballast::control {

class Daemon : private ControlHandler {
 public:
  // `loop` outlives the daemon. `on_fenced` is called when another ballastd has taken the dataplane
  // over: this one can do nothing any more and should end. An error is a sentence for the operator.
  static tl::expected<std::unique_ptr<Daemon>, std::string> start(boost::asio::io_context& loop,
                                                                  std::string file,
                                                                  LoadedConfiguration loaded,
                                                                  std::function<void()> on_fenced);
  ~Daemon() override;

  // Reads the file again, as SIGHUP asks for; the log says what came of it.
  void reload_and_log();

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;
  using Targets = std::map<std::string, healthcheck::TargetStatus>;  // by key
  using ServiceCounts =
      std::map<std::string, std::vector<const ballast::api::ServerStatistics*>>;  // by service
  using OnReloaded = std::function<void(const tl::expected<api::ReloadAnswer, api::Failure>&)>;

  struct LastReload {
    api::ConfigurationStatus::Reload result = api::ConfigurationStatus::NEVER;
    SteadyTime at;
    std::vector<std::string> errors;
  };

  Daemon(boost::asio::io_context& loop, std::string file, LoadedConfiguration loaded);

  // --- the dataplane
  void on_dataplane_state(const ballast::api::HelloAnswer& hello, const ballast::api::State& state);
  void on_dataplane_gone();
  void adopt_state(const ballast::api::State& state);
  void set_twins(const ballast::api::HelloAnswer& hello);
  void on_neighbor_needed(const ballast::api::NeighborNeeded& needed);
  void start_telling_when_ready();
  [[nodiscard]] Capabilities capabilities() const;

  // --- the servers
  void set_targets();
  void on_flip(const healthcheck::Flip& flip);
  void update_service(const ServiceSettings& service);
  void update_services();
  [[nodiscard]] const ServiceSettings* find_service(const std::string& name) const;

  // --- the kernel
  void on_kernel_change(const netlink::KernelChanges& changes);
  void update_ports();
  void update_routes(const netlink::KernelChanges& changes);
  void set_route(const Prefix& prefix, std::optional<netlink::EffectiveRoute> route);
  void update_neighbors(const std::set<netlink::NextHop>& changed);
  void follow_next_hops();
  void set_interfaces();
  void join_groups();
  [[nodiscard]] std::set<IpAddress> vip_addresses() const;
  [[nodiscard]] bool is_wanted(const netlink::NextHop& next_hop) const;

  // --- the configuration (daemon_reload.cc)
  void reload(const OnReloaded& done);
  void adopt(LoadedConfiguration loaded);
  void refuse_reload(std::vector<std::string> errors, const std::string& message,
                     const OnReloaded& done);

  // --- ControlHandler (daemon_api.cc)
  void status(const Peer&, const api::StatusRequest&, Callback<api::StatusAnswer> done) override;
  void list_services(const Peer&, const api::ListServicesRequest&,
                     Callback<api::ListServicesAnswer> done) override;
  void list_connections(const Peer&, const api::ListConnectionsRequest&,
                        Callback<api::ListConnectionsAnswer> done) override;
  void drops(const Peer&, const api::DropsRequest&, Callback<api::DropsAnswer> done) override;
  void checks(const Peer&, const api::ChecksRequest&, Callback<api::ChecksAnswer> done) override;
  void reload(const Peer&, const api::ReloadRequest&, Callback<api::ReloadAnswer> done) override;
  void diff(const Peer&, const api::DiffRequest&, Callback<api::DiffAnswer> done) override;
  void set_server_override(const Peer&, const api::SetServerOverrideRequest&,
                           Callback<api::SetServerOverrideAnswer> done) override;

  using OnStatistics = std::function<void(const std::optional<ballast::api::Statistics>&)>;
  // All pages, joined; nothing when there is no dataplane.
  void fetch_statistics(const OnStatistics& done);
  void read_rates_now_and_then();
  void fetch_page(uint32_t page, const std::shared_ptr<ballast::api::Statistics>& joined,
                  const OnStatistics& done);
  void fill_status(const std::optional<ballast::api::Statistics>& statistics,
                   api::StatusAnswer& answer) const;
  void fill_dataplane(const std::optional<ballast::api::Statistics>& statistics,
                      api::DataplaneStatus& status) const;
  void fill_warnings(api::StatusAnswer& answer) const;
  static ServiceCounts count_by_service(const ballast::api::Statistics& statistics);
  void fill_service(const ServiceSettings& settings, const ServiceCounts& counts,
                    const Targets& targets, api::ServiceStatus& status) const;
  void fill_server(const ServerId& id, const ServerSettings& settings, const Targets& targets,
                   api::ServerStatus& status) const;
  [[nodiscard]] api::CheckStatus check_status(const ServerId& id,
                                              const healthcheck::TargetStatus& target) const;
  [[nodiscard]] Targets targets_by_key() const;
  [[nodiscard]] ServerCondition condition_of(const ServerId& id) const;

  boost::asio::io_context& loop_;
  std::string file_;
  Configuration configuration_;
  std::vector<std::string> warnings_;  // of the configuration
  std::chrono::system_clock::time_point loaded_at_ = std::chrono::system_clock::now();
  SteadyTime started_ = std::chrono::steady_clock::now();
  SteadyTime loaded_ = started_;
  LastReload last_reload_;
  bool reload_under_way_ = false;
  bool reload_again_ = false;  // asked for by a signal meanwhile
  struct Timers;
  std::unique_ptr<Timers> timers_;

  ServerConditions conditions_;
  std::map<std::string, ServerId> ids_;  // by the monitor's key
  bool adopted_ = false;                 // what a dataplane knew has been taken over
  std::set<std::string> twins_;          // names of the dataplane's ports
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
  PortRates rates_;
  std::unique_ptr<healthcheck::Monitor> monitor_;
  std::unique_ptr<DataplaneLink> link_;
  std::optional<ControlServer> control_server_;
};

}  // namespace ballast::control
