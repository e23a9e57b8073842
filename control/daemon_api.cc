// What ballastctl asks, and what ballastd knows.
#include <algorithm>

#include <fmt/format.h>
#include <unistd.h>

#include "control/daemon.h"
#include "control/dataplane_link/weight_in_force.h"
#include "control/describe_change.h"

namespace ballast::control {
namespace {

constexpr uint32_t kStatisticsPage = 5000;

uint64_t seconds_since(std::chrono::steady_clock::time_point when) {
  const auto passed = std::chrono::steady_clock::now() - when;
  return static_cast<uint64_t>(
      std::max<int64_t>(0, std::chrono::duration_cast<std::chrono::seconds>(passed).count()));
}

api::Failure not_connected(const DataplaneLink& link) {
  return failure(
      api::Failure::DATAPLANE_NOT_CONNECTED,
      fmt::format("ballast-dataplane is not connected ({}): {}", link.socket(), link.trouble()));
}

std::string describe_check(const healthcheck::CheckSettings& settings, uint16_t port) {
  const auto every = std::chrono::duration<double>(settings.interval).count();
  switch (settings.type) {
    case healthcheck::CheckType::kNone:
      return "none";
    case healthcheck::CheckType::kTcp:
      return fmt::format("tcp :{}, every {} s", port, every);
    case healthcheck::CheckType::kHttp:
      return fmt::format("http {} :{}{}, every {} s", settings.method, port, settings.path, every);
  }
  return {};
}

}  // namespace

// ---------------------------------------------------------------- statistics

void Daemon::fetch_statistics(const OnStatistics& done) {
  if (!link_->connected()) {
    return done(std::nullopt);
  }
  fetch_page(0, std::make_shared<ballast::api::Statistics>(), done);
}

void Daemon::fetch_page(uint32_t page, const std::shared_ptr<ballast::api::Statistics>& joined,
                        const OnStatistics& done) {
  ballast::api::ClientFrame frame;
  frame.mutable_get_statistics()->set_page(page);
  frame.mutable_get_statistics()->set_page_size(kStatisticsPage);
  link_->request(frame, [this, joined,
                         done](const tl::expected<ballast::api::ServerFrame, std::string>& answer) {
    if (!answer) {
      return done(std::nullopt);
    }
    joined->MergeFrom(answer->statistics());
    const uint32_t next = answer->statistics().next_page();
    if (next == 0) {
      return done(*joined);
    }
    fetch_page(next, joined, done);
  });
}

// ---------------------------------------------------------------- status

void Daemon::status(const Peer&, const api::StatusRequest&, Callback<api::StatusAnswer> done) {
  fetch_statistics([this, done](const std::optional<ballast::api::Statistics>& statistics) {
    api::StatusAnswer answer;
    fill_status(statistics, answer);
    done(answer);
  });
}

void Daemon::fill_status(const std::optional<ballast::api::Statistics>& statistics,
                         api::StatusAnswer& answer) const {
  answer.set_version(BALLAST_VERSION);
  answer.set_pid(static_cast<uint32_t>(getpid()));
  answer.set_uptime_seconds(seconds_since(started_));
  fill_dataplane(statistics, *answer.mutable_dataplane());
  api::ConfigurationStatus& configuration = *answer.mutable_configuration();
  configuration.set_file(file_);
  configuration.set_loaded_at(std::chrono::system_clock::to_time_t(loaded_at_));
  configuration.set_loaded_seconds_ago(seconds_since(loaded_));
  configuration.set_last_reload(last_reload_.result);
  if (last_reload_.result != api::ConfigurationStatus::NEVER) {
    configuration.set_last_reload_seconds_ago(seconds_since(last_reload_.at));
  }
  for (const std::string& error : last_reload_.errors) {
    configuration.add_last_reload_errors(error);
  }
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
      const ServerCondition condition = condition_of({service.name, server.key});
      summary.set_servers_up(summary.servers_up() +
                             (weight_in_force(server.weight, condition) != 0 ? 1 : 0));
      summary.set_servers_overridden(
          summary.servers_overridden() +
          (condition.override_by_hand != ballast::api::NO_OVERRIDE ? 1 : 0));
    }
  }
  fill_warnings(answer);
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
  for (api::PortStatus& port : *status.mutable_ports()) {
    if (const auto rate = rates_.of(port.info().name())) {
      port.set_rx_packets_per_second(rate->rx_packets_per_second);
      port.set_tx_packets_per_second(rate->tx_packets_per_second);
    }
    for (const ballast::api::PortStatistics& counters : statistics->ports()) {
      if (counters.name() == port.info().name()) {
        *port.mutable_statistics() = counters;
        port.mutable_info()->set_up(counters.up());
      }
    }
  }
  for (const ballast::api::WorkerStatistics& worker : statistics->workers()) {
    *status.add_workers() = worker;
    status.set_trusted_connections(status.trusted_connections() + worker.trusted());
    status.set_untrusted_connections(status.untrusted_connections() + worker.untrusted());
  }
  for (const ballast::api::DropCount& drop : statistics->drops()) {
    status.set_drops_total(status.drops_total() + drop.packets());
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
  for (const std::string& problem : interfaces_->problems()) {
    warn(api::Warning::DEGRADED, "interface", problem);
  }
  for (const ServiceSettings& service : configuration_.services) {
    for (const ServerSettings& server : service.servers) {
      const netlink::EffectiveRoute* route = route_to(routes_, server.key.address);
      if (service.mode == Mode::kDirectRouting && route != nullptr && !route->hops.empty() &&
          route->hops.front().gateway) {
        warn(api::Warning::DEGRADED, fmt::format("service {}", service.name),
             fmt::format("server {} is behind the gateway {}: mode dr reaches servers on the same "
                         "Ethernet segment only",
                         server.key.to_string(), route->hops.front().gateway->to_string()));
      }
    }
  }
  if (!mirror_->trouble().empty()) {
    warn(api::Warning::DEGRADED, "netlink", mirror_->trouble());
  }
}

// ---------------------------------------------------------------- services, checks

Daemon::Targets Daemon::targets_by_key() const {
  Targets targets;
  if (monitor_) {
    for (healthcheck::TargetStatus& target : monitor_->snapshot()) {
      targets.emplace(target.key, std::move(target));
    }
  }
  return targets;
}

void Daemon::list_services(const Peer&, const api::ListServicesRequest& request,
                           Callback<api::ListServicesAnswer> done) {
  if (!request.name().empty() && find_service(request.name()) == nullptr) {
    return done(tl::unexpected(
        failure(api::Failure::NOT_FOUND, fmt::format("no service \"{}\"", request.name()))));
  }
  fetch_statistics([this, done, name = request.name()](
                       const std::optional<ballast::api::Statistics>& statistics) {
    api::ListServicesAnswer answer;
    answer.set_counted(statistics.has_value());
    answer.set_counted_at_ms(
        static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                  std::chrono::steady_clock::now().time_since_epoch())
                                  .count()));
    const ServiceCounts counts = statistics ? count_by_service(*statistics) : ServiceCounts{};
    const auto targets = targets_by_key();
    for (const ServiceSettings& service : configuration_.services) {
      if (name.empty() || name == service.name) {
        fill_service(service, counts, targets, *answer.add_services());
      }
    }
    done(answer);
  });
}

Daemon::ServiceCounts Daemon::count_by_service(const ballast::api::Statistics& statistics) {
  ServiceCounts counts;
  for (const ballast::api::ServerStatistics& server : statistics.servers()) {
    counts[server.service()].push_back(&server);
  }
  return counts;
}

void Daemon::fill_service(const ServiceSettings& settings, const ServiceCounts& counts,
                          const Targets& targets, api::ServiceStatus& status) const {
  const ballast::api::Service service = service_resource(settings, conditions_).service();
  status.set_name(service.name());
  *status.mutable_listeners() = service.listeners();
  status.set_mode(service.mode());
  status.set_scheduler(service.scheduler());
  status.set_on_no_server(service.on_no_server());
  status.set_on_server_down(service.on_server_down());
  status.set_sloppy_tcp(service.sloppy_tcp());
  *status.mutable_timeout_seconds() = service.timeout_seconds();
  std::map<std::string, api::ServerStatus*> by_server;
  for (const ServerSettings& server : settings.servers) {
    by_server[server.key.to_string()] = nullptr;
    fill_server({settings.name, server.key}, server, targets, *status.add_servers());
  }
  for (int i = 0; i < status.servers_size(); ++i) {
    by_server[settings.servers[static_cast<size_t>(i)].key.to_string()] = status.mutable_servers(i);
  }
  const auto counted = counts.find(settings.name);
  if (counted == counts.end()) {
    return;
  }
  std::vector<const ballast::api::ServerStatistics*> removed;
  for (const ballast::api::ServerStatistics* each : counted->second) {
    const auto address = IpAddress::parse(each->address());
    const auto found =
        address
            ? by_server.find(ServerKey{*address, static_cast<uint16_t>(each->port())}.to_string())
            : by_server.end();
    if (found == by_server.end()) {
      removed.push_back(each);
      continue;
    }
    found->second->set_active_connections(each->active_connections());
    found->second->set_inactive_connections(each->inactive_connections());
    *found->second->mutable_counters() = each->counters();
  }
  for (const ballast::api::ServerStatistics* each : removed) {
    api::ServerStatus& server = *status.add_servers();
    server.set_address(each->address());
    server.set_port(each->port());
    server.set_removed(true);
    server.set_active_connections(each->active_connections());
    server.set_inactive_connections(each->inactive_connections());
    *server.mutable_counters() = each->counters();
  }
}

void Daemon::fill_server(const ServerId& id, const ServerSettings& settings, const Targets& targets,
                         api::ServerStatus& status) const {
  const ServerCondition condition = condition_of(id);
  status.set_address(settings.key.address.to_string());
  status.set_port(settings.key.port);
  status.set_configured_weight(settings.weight);
  status.set_weight(weight_in_force(settings.weight, condition));
  status.set_health(to_api(condition.health));
  status.set_override(condition.override_by_hand);
  const auto target = targets.find(id.to_string());
  if (target != targets.end() && settings.check.type != healthcheck::CheckType::kNone) {
    *status.mutable_check() = check_status(id, target->second);
  }
}

api::CheckStatus Daemon::check_status(const ServerId& id,
                                      const healthcheck::TargetStatus& target) const {
  api::CheckStatus status;
  status.set_service(id.service);
  status.set_address(id.server.address.to_string());
  status.set_port(id.server.port);
  status.set_description(describe_check(target.settings, target.port));
  status.set_health(to_api(target.health));
  status.set_last_result(target.last_text);
  if (target.last_ended) {
    status.set_last_seconds_ago(seconds_since(*target.last_ended));
  }
  status.set_changed_seconds_ago(seconds_since(target.since));
  status.set_successes_in_row(target.health == healthcheck::Health::kUp ? 0 : target.contrary_run);
  status.set_failures_in_row(target.health == healthcheck::Health::kUp ? target.contrary_run : 0);
  status.set_rise(target.settings.rise);
  status.set_fall(target.settings.fall);
  status.set_runs(target.counts.healthy + target.counts.unhealthy);
  status.set_failures(target.counts.unhealthy);
  return status;
}

void Daemon::checks(const Peer&, const api::ChecksRequest& request,
                    Callback<api::ChecksAnswer> done) {
  if (!request.service().empty() && find_service(request.service()) == nullptr) {
    return done(tl::unexpected(
        failure(api::Failure::NOT_FOUND, fmt::format("no service \"{}\"", request.service()))));
  }
  const auto targets = targets_by_key();
  api::ChecksAnswer answer;
  for (const ServiceSettings& service : configuration_.services) {
    if (!request.service().empty() && request.service() != service.name) {
      continue;
    }
    for (const ServerSettings& server : service.servers) {
      const ServerId id{service.name, server.key};
      const auto target = targets.find(id.to_string());
      if (target != targets.end()) {
        *answer.add_checks() = check_status(id, target->second);
      }
    }
  }
  done(answer);
}

// ---------------------------------------------------------------- connections, drops

void Daemon::list_connections(const Peer&, const api::ListConnectionsRequest& request,
                              Callback<api::ListConnectionsAnswer> done) {
  if (!link_->connected()) {
    return done(tl::unexpected(not_connected(*link_)));
  }
  ballast::api::ClientFrame frame;
  *frame.mutable_list_connections() = request.filter();
  link_->request(frame, [done](const tl::expected<ballast::api::ServerFrame, std::string>& answer) {
    if (!answer) {
      return done(tl::unexpected(failure(api::Failure::INVALID, answer.error())));
    }
    api::ListConnectionsAnswer result;
    *result.mutable_page() = answer->connections();
    done(result);
  });
}

void Daemon::drops(const Peer&, const api::DropsRequest&, Callback<api::DropsAnswer> done) {
  fetch_statistics([this, done](const std::optional<ballast::api::Statistics>& statistics) {
    if (!statistics) {
      return done(tl::unexpected(not_connected(*link_)));
    }
    api::DropsAnswer answer;
    *answer.mutable_drops() = statistics->drops();
    done(answer);
  });
}

// ---------------------------------------------------------------- configuration

void Daemon::reload(const Peer&, const api::ReloadRequest&, Callback<api::ReloadAnswer> done) {
  reload(done);
}

void Daemon::diff(const Peer&, const api::DiffRequest& request, Callback<api::DiffAnswer> done) {
  const auto loaded = parse_configuration(request.text(), request.file_name(), capabilities());
  if (!loaded) {
    api::Failure refusal = failure(api::Failure::REFUSED, "this configuration would be refused");
    for (const std::string& error : loaded.error()) {
      refusal.add_details(error);
    }
    return done(tl::unexpected(refusal));
  }
  api::DiffAnswer answer;
  for (const Change& change : control::diff(configuration_, loaded->configuration)) {
    *answer.add_changes() = describe(change);
  }
  done(answer);
}

// ---------------------------------------------------------------- changes by hand

void Daemon::set_server_override(const Peer&, const api::SetServerOverrideRequest& request,
                                 Callback<api::SetServerOverrideAnswer> done) {
  const ServiceSettings* service = find_service(request.service());
  const auto address = IpAddress::parse(request.address());
  if (service == nullptr || !address) {
    return done(tl::unexpected(
        service == nullptr
            ? failure(api::Failure::NOT_FOUND, fmt::format("no service \"{}\"", request.service()))
            : failure(api::Failure::INVALID,
                      fmt::format("\"{}\" is not an address", request.address()))));
  }
  std::vector<const ServerSettings*> meant;
  for (const ServerSettings& server : service->servers) {
    if (server.key.address == *address &&
        (request.port() == 0 || request.port() == server.key.port)) {
      meant.push_back(&server);
    }
  }
  if (meant.size() != 1) {
    return done(tl::unexpected(
        meant.empty()
            ? failure(api::Failure::NOT_FOUND, fmt::format("service \"{}\" has no server {}",
                                                           service->name, request.address()))
            : failure(api::Failure::INVALID,
                      fmt::format("service \"{}\" has {} servers at {}: name the port",
                                  service->name, meant.size(), request.address()))));
  }
  const ServerId id{service->name, meant.front()->key};
  ServerCondition& condition = conditions_[id];
  api::SetServerOverrideAnswer answer;
  answer.set_service(service->name);
  answer.set_before(condition.override_by_hand);
  condition.override_by_hand = request.override();
  update_service(*service);
  fill_server(id, *meant.front(), targets_by_key(), *answer.mutable_server());
  answer.set_dataplane_connected(link_->connected());
  done(answer);
}

}  // namespace ballast::control
