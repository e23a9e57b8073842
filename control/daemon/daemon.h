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
//   The sources are parts (kernel_part.h, servers_part.h): each owns its subject, reads the
//   configuration in force, and is told by the daemon when that has changed and when a dataplane
//   comes or goes. They do not know each other: what one has to say to another passes through the
//   daemon. A part with a thread and a loop of its own has its near end here, and exchanges values
//   with the far one.
//
//   When it stops, the dataplane goes on forwarding as it was told last.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "control/api/handler.h"
#include "control/api/server.h"
#include "control/config/load.h"
#include "control/daemon/answer_page.h"
#include "control/daemon/kernel_part.h"
#include "control/daemon/reload_record.h"
#include "control/daemon/servers_part.h"
#include "control/daemon/statistics_reader.h"
#include "control/daemon/vrrp_part.h"
#include "control/dataplane_link/link.h"

namespace boost::asio {
class io_context;
}

namespace ballast::control {

struct DaemonOptions {
  std::string file;              // ballast.toml, to be read again by a reload
  uint32_t checks_at_once = 64;  // of servers, at most
  // Another ballastd has taken the dataplane over: this one can do nothing any more and should end.
  std::function<void()> on_fenced;
  // Everything is ready for the program to begin anew in this process.
  std::function<void()> on_restart;
};

class Daemon : private ControlHandler {
 public:
  // `loop` outlives the daemon. An error is a sentence for the operator.
  static tl::expected<std::unique_ptr<Daemon>, std::string> start(boost::asio::io_context& loop,
                                                                  DaemonOptions options,
                                                                  LoadedConfiguration loaded);
  ~Daemon() override;

  // Reads the file again, as SIGHUP asks for; the log says what came of it.
  void reload_and_log();
  // As SIGUSR2 asks for; the log says when it cannot be.
  void restart_and_log();
  // Gives away what other nodes can take over; `done` is called when the process may end.
  void prepare_end(const std::function<void()>& done);

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;
  using ServiceCounts =
      std::map<std::string,
               std::map<ServerKey, const ballast::api::ServerStatistics*>>;  // by service
  using OnReloaded = std::function<void(const tl::expected<api::ReloadAnswer, api::Failure>&)>;

  Daemon(boost::asio::io_context& loop, std::string file, LoadedConfiguration loaded);

  // --- the dataplane
  [[nodiscard]] DataplaneLink::Callbacks link_callbacks(std::function<void()> on_fenced);
  void on_dataplane_state(const ballast::api::HelloAnswer& hello, const ballast::api::State& state);
  void start_telling_when_ready();
  [[nodiscard]] Capabilities capabilities() const;
  [[nodiscard]] ProgramUser program_user() const;

  // --- the configuration (reload.cc)
  void reload(const OnReloaded& done);
  void adopt(LoadedConfiguration loaded);
  void refuse_reload(std::vector<std::string> errors, const std::string& message,
                     const OnReloaded& done);

  // --- ControlHandler (status.cc, services.cc, requests.cc)
  void status(const Peer&, const api::StatusRequest&, Callback<api::StatusAnswer> done) override;
  void list_services(const Peer&, const api::ListServicesRequest&,
                     Callback<api::ListServicesAnswer> done) override;
  void list_ports(const Peer&, const api::ListPortsRequest&,
                  Callback<api::ListPortsAnswer> done) override;
  void list_connections(const Peer&, const api::ListConnectionsRequest&,
                        Callback<api::ListConnectionsAnswer> done) override;
  void drops(const Peer&, const api::DropsRequest&, Callback<api::DropsAnswer> done) override;
  void checks(const Peer&, const api::ChecksRequest&, Callback<api::ChecksAnswer> done) override;
  void reload(const Peer&, const api::ReloadRequest&, Callback<api::ReloadAnswer> done) override;
  void diff(const Peer&, const api::DiffRequest&, Callback<api::DiffAnswer> done) override;
  void set_server_override(const Peer&, const api::SetServerOverrideRequest&,
                           Callback<api::SetServerOverrideAnswer> done) override;
  void list_vrrp(const Peer&, const api::ListVrrpRequest&,
                 Callback<api::ListVrrpAnswer> done) override;
  void move_vrrp(const Peer&, const api::MoveVrrpRequest&,
                 Callback<api::MoveVrrpAnswer> done) override;
  void restart(const Peer&, const api::RestartRequest&, Callback<api::RestartAnswer> done) override;

  void fill_status(const std::optional<ballast::api::Statistics>& statistics,
                   api::StatusAnswer& answer) const;
  void fill_configuration(api::ConfigurationStatus& status) const;
  void fill_dataplane(const std::optional<ballast::api::Statistics>& statistics,
                      api::DataplaneStatus& status) const;
  void fill_ports(const ballast::api::Statistics& statistics, api::DataplaneStatus& status) const;
  void fill_summaries(const std::optional<ballast::api::Statistics>& statistics,
                      api::StatusAnswer& answer) const;
  void fill_warnings(api::StatusAnswer& answer) const;
  static void fill_counts_of(const ServerId& id, const ballast::api::Statistics& statistics,
                             api::ServerStatus& status);
  void answer_override(const ServerId& id, const ServerSettings& settings,
                       ballast::api::Override before, bool confirmed,
                       const Callback<api::SetServerOverrideAnswer>& done);
  static ServiceCounts count_by_service(const ballast::api::Statistics& statistics);
  [[nodiscard]] tl::expected<AnswerPage, api::Failure> open_page(bool paged,
                                                                 const std::string& cursor) const;
  void fill_service(const ServiceSettings& settings, const ServiceCounts& counts,
                    const ServersPart::Targets& targets, AnswerPage& page,
                    api::ListServicesAnswer& answer) const;
  void fill_server(const ServerId& id, const ServerSettings& settings,
                   const ServersPart::Targets& targets, api::ServerStatus& status) const;

  boost::asio::io_context& loop_;
  std::string file_;
  Configuration configuration_;
  std::vector<std::string> warnings_;  // of the configuration
  std::chrono::system_clock::time_point loaded_at_ = std::chrono::system_clock::now();
  SteadyTime started_ = std::chrono::steady_clock::now();
  SteadyTime loaded_ = started_;
  ReloadRecord last_reload_;
  uint64_t configuration_number_ = 1;  // how many have been in force
  bool reload_under_way_ = false;
  bool is_ending_ = false;
  bool reload_again_ = false;  // asked for by a signal meanwhile
  bool adopted_ = false;       // what a dataplane knew has been taken over
  std::function<void()> on_restart_;

  // From here on each needs those before it. The door is closed first.
  std::unique_ptr<DataplaneLink> link_;
  std::unique_ptr<KernelPart> kernel_;
  std::unique_ptr<ServersPart> servers_;
  std::unique_ptr<VrrpPart> vrrp_;
  std::unique_ptr<StatisticsReader> statistics_;
  std::optional<ControlServer> control_server_;
};

}  // namespace ballast::control
