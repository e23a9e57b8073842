// `ballastctl status`: how it all stands.
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "control/daemon/daemon.h"
#include "control/daemon/seconds_since.h"
#include "control/dataplane_link/weight_in_force.h"

namespace ballast::control {

void Daemon::status(const Peer&, const api::StatusRequest&, Callback<api::StatusAnswer> done) {
  statistics_->fetch([this, done](const std::optional<ballast::api::Statistics>& statistics) {
    vrrp_->fetch_status([this, statistics, done](const vrrp::SpeakerStatus& speaker) {
      api::StatusAnswer answer;
      fill_status(statistics, answer);
      vrrp_->fill_summaries(speaker, answer);
      done(answer);
    });
  });
}

void Daemon::fill_status(const std::optional<ballast::api::Statistics>& statistics,
                         api::StatusAnswer& answer) const {
  answer.set_version(BALLAST_VERSION);
  answer.set_pid(static_cast<uint32_t>(getpid()));
  answer.set_uptime_seconds(seconds_since(started_));
  fill_dataplane(statistics, *answer.mutable_dataplane());
  fill_configuration(*answer.mutable_configuration());
  fill_summaries(statistics, answer);
  fill_warnings(answer);
}

void Daemon::fill_configuration(api::ConfigurationStatus& status) const {
  status.set_file(file_);
  status.set_loaded_at(std::chrono::system_clock::to_time_t(loaded_at_));
  status.set_loaded_seconds_ago(seconds_since(loaded_));
  last_reload_.fill(std::chrono::steady_clock::now(), status);
}

void Daemon::fill_summaries(const std::optional<ballast::api::Statistics>& statistics,
                            api::StatusAnswer& answer) const {
  std::map<std::string, uint64_t> active;
  if (statistics) {
    for (const ballast::api::ServerStatistics& server : statistics->servers()) {
      active[server.service()] += server.active_connections();
    }
  }
  for (const ServiceSettings& service : configuration_.services) {
    api::ServiceSummary& summary = *answer.add_services();
    summary.set_name(service.name);
    summary.set_servers(static_cast<uint32_t>(service.servers.size()));
    summary.set_active_connections(active[service.name]);
    for (const ServerSettings& server : service.servers) {
      const ServerCondition condition =
          condition_in_force(server, servers_->condition_of({service.name, server.key}));
      summary.set_servers_up(summary.servers_up() +
                             (weight_in_force(server.weight, condition) != 0 ? 1 : 0));
      summary.set_servers_overridden(
          summary.servers_overridden() +
          (condition.override_by_hand != ballast::api::NO_OVERRIDE ? 1 : 0));
    }
  }
}

void Daemon::fill_dataplane(const std::optional<ballast::api::Statistics>& statistics,
                            api::DataplaneStatus& status) const {
  status.set_connected(link_->connected());
  status.set_socket(link_->socket());
  status.set_last_error(link_->trouble());
  if (!link_->connected()) {
    status.set_disconnected_seconds(seconds_since(link_->changed_at()));
  }
  status.set_generation(link_->generation());
  status.set_in_sync(link_->in_sync());
  if (link_->hello()) {
    status.set_version(link_->hello()->dataplane());
    status.set_instance_id(link_->hello()->instance_id());
    for (const ballast::api::PortInfo& port : link_->hello()->ports()) {
      *status.add_ports()->mutable_info() = port;
    }
  }
  if (!statistics) {
    return;
  }
  status.set_uptime_seconds(statistics->uptime_seconds());
  status.set_connection_capacity(statistics->connection_capacity());
  status.set_memory_bytes(statistics->memory_bytes());
  fill_ports(*statistics, status);
  api::LocalPortStatus& local_ports = *status.mutable_local_ports();
  local_ports.set_capacity(statistics->local_port_capacity());
  statistics_->local_port_drops().fill(std::chrono::steady_clock::now(), local_ports);
  for (const ballast::api::WorkerStatistics& worker : statistics->workers()) {
    *status.add_workers() = worker;
    local_ports.set_taken(local_ports.taken() + worker.local_ports_taken());
    local_ports.set_resting(local_ports.resting() + worker.local_ports_resting());
    status.set_trusted_connections(status.trusted_connections() + worker.trusted());
    status.set_untrusted_connections(status.untrusted_connections() + worker.untrusted());
  }
  for (const ballast::api::DropCount& drop : statistics->drops()) {
    status.set_drops_total(status.drops_total() + drop.packets());
  }
}

void Daemon::fill_ports(const ballast::api::Statistics& statistics,
                        api::DataplaneStatus& status) const {
  for (api::PortStatus& port : *status.mutable_ports()) {
    if (const auto rate = statistics_->rates().of(port.info().name())) {
      port.set_rx_packets_per_second(rate->rx_packets_per_second);
      port.set_tx_packets_per_second(rate->tx_packets_per_second);
    }
    for (const ballast::api::PortStatistics& counters : statistics.ports()) {
      if (counters.name() == port.info().name()) {
        *port.mutable_statistics() = counters;
        port.mutable_info()->set_up(counters.up());
      }
    }
  }
}

void Daemon::fill_warnings(api::StatusAnswer& answer) const {
  const auto warn = [&answer](api::Warning::Severity severity, const std::string& subject,
                              const std::string& text) {
    api::Warning& warning = *answer.add_warnings();
    warning.set_severity(severity);
    warning.set_subject(subject);
    warning.set_text(text);
  };
  for (const std::string& text : warnings_) {
    warn(api::Warning::NOTE, "configuration", text);
  }
  for (const KernelPart::Problem& problem : kernel_->problems()) {
    warn(api::Warning::DEGRADED, problem.subject, problem.text);
  }
  if (link_->connected()) {
    const Capabilities able = capabilities();
    std::map<std::string, std::vector<std::string_view>> left_out;  // services by reason
    for (const ServiceSettings& service : configuration_.services) {
      if (std::string why = unsupported_mode(service.mode, able); !why.empty()) {
        left_out[std::move(why)].push_back(service.name);
      }
    }
    for (const auto& [why, names] : left_out) {
      warn(api::Warning::OUTAGE, fmt::format("service {}", names.front()),
           names.size() == 1 ? why : fmt::format("and {} more: {}", names.size() - 1, why));
    }
  }
  constexpr size_t kMostShown = 20;
  size_t behind_gateways = 0;
  for (const ServiceSettings& service : configuration_.services) {
    for (const ServerSettings& server : service.servers) {
      const netlink::EffectiveRoute* route = route_to(kernel_->routes(), server.key.address);
      if (service.mode == Mode::kDirectRouting && route != nullptr && !route->hops.empty() &&
          route->hops.front().gateway && ++behind_gateways <= kMostShown) {
        warn(api::Warning::DEGRADED, fmt::format("service {}", service.name),
             fmt::format("server {} is behind the gateway {}: mode dr reaches servers on the same "
                         "Ethernet segment only",
                         server.key.to_string(), route->hops.front().gateway->to_string()));
      }
    }
  }
  if (behind_gateways > kMostShown) {
    warn(api::Warning::DEGRADED, "services",
         fmt::format("{} more servers are behind a gateway", behind_gateways - kMostShown));
  }
}

}  // namespace ballast::control
