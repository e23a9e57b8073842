// A new configuration: read, checked, offered to the dataplane, and only then in force.
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "control/config/diff.h"
#include "control/daemon/daemon.h"
#include "control/daemon/describe_change.h"
#include "control/daemon/log_level.h"
#include "control/dataplane_link/resources.h"

namespace ballast::control {

void Daemon::reload_and_log() {
  if (reload_under_way_) {
    reload_again_ = true;  // the file may have changed since it was read
    return;
  }
  // Both outcomes are logged on the way.
  reload([](const tl::expected<api::ReloadAnswer, api::Failure>&) {});
}

void Daemon::refuse_reload(std::vector<std::string> errors, const std::string& message,
                           const OnReloaded& done) {
  api::Failure refusal = failure(api::Failure::REFUSED, message);
  spdlog::error("reload: {}", message);
  for (const std::string& error : errors) {
    spdlog::error("reload: {}", error);
    refusal.add_details(error);
  }
  last_reload_.refused(std::chrono::steady_clock::now(), std::move(errors));
  done(tl::unexpected(refusal));
}

void Daemon::reload(const OnReloaded& done) {
  if (reload_under_way_) {
    return done(tl::unexpected(failure(api::Failure::BUSY, "another reload is under way")));
  }
  auto loaded = load_configuration(file_, capabilities());
  if (!loaded) {
    return refuse_reload(loaded.error(), "the configuration is refused, nothing has changed", done);
  }
  const Configuration& wanted = loaded->configuration;
  if (wanted.daemon.dataplane_socket != configuration_.daemon.dataplane_socket ||
      wanted.daemon.control_socket != configuration_.daemon.control_socket ||
      wanted.daemon.control_socket_group != configuration_.daemon.control_socket_group) {
    return refuse_reload({fmt::format("{}: [daemon]: the sockets and their group cannot change "
                                      "while ballastd runs: restart it",
                                      file_)},
                         "the configuration is refused, nothing has changed", done);
  }
  const std::vector<Change> changes = control::diff(configuration_, wanted);
  const Resources resources =
      configured_resources(wanted, servers_->conditions(), vrrp_->leases(wanted));
  std::vector<std::string> unwanted;
  for (const auto& [key, resource] : configured_resources(configuration_, servers_->conditions(),
                                                          vrrp_->leases(configuration_))) {
    if (resources.count(key) == 0) {
      unwanted.push_back(key);
    }
  }
  reload_under_way_ = true;
  link_->propose(resources, unwanted,
                 [this, done, changes, loaded = *loaded](const DataplaneLink::Verdict& verdict) {
                   reload_under_way_ = false;
                   if (std::exchange(reload_again_, false)) {
                     boost::asio::post(loop_, [this] { reload_and_log(); });
                   }
                   if (!verdict.refusals.empty()) {
                     return refuse_reload(
                         verdict.refusals,
                         "the dataplane refuses the configuration, nothing has changed", done);
                   }
                   adopt(loaded);
                   last_reload_.taken(std::chrono::steady_clock::now(), verdict);
                   api::ReloadAnswer answer;
                   answer.set_file(file_);
                   for (const Change& change : changes) {
                     spdlog::info("reload: {}", change.to_string());
                     *answer.add_changes() = describe(change);
                   }
                   spdlog::info("reload: {}: {} changes", file_, changes.size());
                   answer.set_dataplane_connected(verdict.connected);
                   answer.set_generation(verdict.generation);
                   for (const uint32_t worker : verdict.stalled_workers) {
                     answer.add_stalled_workers(worker);
                   }
                   done(answer);
                 });
}

// Brings everything but the dataplane, which has it already, to the new configuration.
void Daemon::adopt(LoadedConfiguration loaded) {
  configuration_ = std::move(loaded.configuration);
  ++configuration_number_;
  set_log_level(configuration_.daemon.log_level);
  warnings_ = std::move(loaded.warnings);
  loaded_at_ = std::chrono::system_clock::now();
  loaded_ = std::chrono::steady_clock::now();
  for (const std::string& warning : warnings_) {
    spdlog::warn("{}", warning);
  }
  servers_->configuration_changed();
  kernel_->configuration_changed();
  vrrp_->configuration_changed(program_user());
}

}  // namespace ballast::control
