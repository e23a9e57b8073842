#include "control/daemon/daemon.h"

#include <filesystem>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <spdlog/spdlog.h>

#include "control/dataplane_link/resources.h"

namespace ballast::control {
namespace {

// /run is empty after a boot, and nobody says which of the two daemons is started first. What is
// wrong with the folder is said by who opens the socket in it.
void make_folder_of(const std::string& path) {
  std::error_code ignored;
  std::filesystem::create_directory(std::filesystem::path(path).parent_path(), ignored);
}

constexpr std::string_view kSchedulerCapability = "scheduler/";
constexpr std::string_view kModeCapability = "mode/";

}  // namespace

tl::expected<std::unique_ptr<Daemon>, std::string> Daemon::start(boost::asio::io_context& loop,
                                                                 DaemonOptions options,
                                                                 LoadedConfiguration loaded) {
  std::unique_ptr<Daemon> daemon(new Daemon(loop, std::move(options.file), std::move(loaded)));
  daemon->on_restart_ = std::move(options.on_restart);
  Daemon& self = *daemon;

  // First of all the door: a second ballastd must not get as far as the dataplane.
  make_folder_of(self.configuration_.daemon.control_socket);
  ControlServerOptions door;
  door.path = self.configuration_.daemon.control_socket;
  door.group = self.configuration_.daemon.control_socket_group;
  door.log = [](const std::string& line) { spdlog::info("api: {}", line); };
  auto server = ControlServer::listen(loop, self, door);
  if (!server) {
    return tl::unexpected(server.error());
  }
  self.control_server_.emplace(std::move(*server));

  self.link_ = std::make_unique<DataplaneLink>(loop, self.configuration_.daemon.dataplane_socket,
                                               self.link_callbacks(std::move(options.on_fenced)));
  auto kernel = KernelPart::open(loop, self.configuration_, *self.link_,
                                 {.on_complete = [&self] { self.start_telling_when_ready(); },
                                  .on_change = [&self] { self.vrrp_->world_changed(); }});
  if (!kernel) {
    return tl::unexpected(kernel.error());
  }
  self.kernel_ = std::move(*kernel);
  self.servers_ =
      std::make_unique<ServersPart>(loop, self.configuration_, *self.link_, options.checks_at_once,
                                    [&self] { self.vrrp_->world_changed(); });
  self.vrrp_ = std::make_unique<VrrpPart>(loop, self.configuration_, *self.link_, *self.kernel_,
                                          *self.servers_, self.program_user());
  self.statistics_ = std::make_unique<StatisticsReader>(loop, *self.link_);
  return daemon;
}

Daemon::Daemon(boost::asio::io_context& loop, std::string file, LoadedConfiguration loaded)
    : loop_(loop),
      file_(std::move(file)),
      configuration_(std::move(loaded.configuration)),
      warnings_(std::move(loaded.warnings)) {
  for (const std::string& warning : warnings_) {
    spdlog::warn("{}", warning);
  }
}

Daemon::~Daemon() = default;

DataplaneLink::Callbacks Daemon::link_callbacks(std::function<void()> on_fenced) {
  return {.on_state = [this](const auto& hello,
                             const auto& state) { on_dataplane_state(hello, state); },
          .on_disconnect =
              [this](const std::string&) {
                servers_->stop_checks();
                vrrp_->dataplane_lost();
              },
          .on_neighbor_needed = [this](const auto& needed) { kernel_->on_neighbor_needed(needed); },
          .on_port_changed =
              [this](const ballast::api::PortInfo& port) {
                spdlog::warn("port {}: link is {}", port.name(), port.up() ? "up" : "down");
                vrrp_->port_changed(port);
              },
          .on_transaction =
              [this](const DataplaneLink::Verdict& verdict) {
                last_reload_.on_transaction(verdict);
                vrrp_->world_changed();
              },
          .on_fenced =
              [this, on_fenced = std::move(on_fenced)](const std::string& by) {
                spdlog::error("dataplane: another ballastd took over ({}): this one ends", by);
                vrrp_->abandon();  // the leases are its
                on_fenced();
              }};
}

// The first dataplane that this ballastd meets knows what the ballastd before it knew.
void Daemon::on_dataplane_state(const ballast::api::HelloAnswer& hello,
                                const ballast::api::State& state) {
  kernel_->set_twins(hello);
  if (!std::exchange(adopted_, true)) {
    servers_->adopt(conditions_in(state));
    kernel_->adopt(neighbors_in(state));
    vrrp_->adopt(state);
  }
  vrrp_->set_dataplane(hello);
  servers_->start_checks();
  kernel_->say_everything();
  start_telling_when_ready();
}

void Daemon::start_telling_when_ready() {
  if (!adopted_ || !kernel_->complete()) {
    return;
  }
  for (const auto& [key, resource] : configured_resources(configuration_, servers_->conditions(),
                                                          vrrp_->leases(configuration_))) {
    link_->update(resource);
  }
  link_->start();
}

Capabilities Daemon::capabilities() const {
  if (!link_ || !link_->hello()) {
    return {};
  }
  Capabilities capabilities{.modes = {}, .schedulers = {}, .ports = {}};
  for (const ballast::api::PortInfo& port : link_->hello()->ports()) {
    capabilities.ports.push_back(port.name());
  }
  for (const std::string& text : link_->hello()->capabilities()) {
    if (text.rfind(kSchedulerCapability, 0) == 0) {
      capabilities.schedulers.push_back(text.substr(kSchedulerCapability.size()));
    } else if (text.rfind(kModeCapability, 0) == 0) {
      capabilities.modes.push_back(text.substr(kModeCapability.size()));
    }
  }
  return capabilities;
}

// The configuration was accepted with a user that exists; if it does not any more, nobody does.
ProgramUser Daemon::program_user() const {
  const auto user = find_program_user(configuration_.daemon.script_user);
  if (!user) {
    spdlog::error("{}", user.error());
    return {};
  }
  return *user;
}

void Daemon::prepare_end(const std::function<void()>& done) {
  is_ending_ = true;
  vrrp_->give_away(done);
}

void Daemon::restart_and_log() {
  restart(Peer{}, api::RestartRequest{},
          [](const tl::expected<api::RestartAnswer, api::Failure>& answer) {
            if (answer) {
              return;
            }
            spdlog::error("restart: {}", answer.error().message());
            for (const std::string& detail : answer.error().details()) {
              spdlog::error("restart: {}", detail);
            }
          });
}

}  // namespace ballast::control
