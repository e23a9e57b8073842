// `ballastctl service list`, `service show` and `checks`.
#include <fmt/format.h>

#include "control/daemon/daemon.h"
#include "control/daemon/seconds_since.h"
#include "control/dataplane_link/resources.h"
#include "control/dataplane_link/weight_in_force.h"

namespace ballast::control {
namespace {

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

api::CheckStatus check_status(const ServerId& id, const healthcheck::TargetStatus& target) {
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

}  // namespace

void Daemon::list_services(const Peer&, const api::ListServicesRequest& request,
                           Callback<api::ListServicesAnswer> done) {
  if (!request.name().empty() && servers_->find_service(request.name()) == nullptr) {
    return done(tl::unexpected(
        failure(api::Failure::NOT_FOUND, fmt::format("no service \"{}\"", request.name()))));
  }
  statistics_->fetch([this, done, name = request.name()](
                         const std::optional<ballast::api::Statistics>& statistics) {
    api::ListServicesAnswer answer;
    answer.set_counted(statistics.has_value());
    answer.set_counted_at_ms(
        static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                  std::chrono::steady_clock::now().time_since_epoch())
                                  .count()));
    const ServiceCounts counts = statistics ? count_by_service(*statistics) : ServiceCounts{};
    const auto targets = servers_->targets();
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
                          const ServersPart::Targets& targets, api::ServiceStatus& status) const {
  const ballast::api::Service service =
      service_resource(settings, servers_->conditions()).service();
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

void Daemon::fill_server(const ServerId& id, const ServerSettings& settings,
                         const ServersPart::Targets& targets, api::ServerStatus& status) const {
  const ServerCondition condition = servers_->condition_of(id);
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

void Daemon::checks(const Peer&, const api::ChecksRequest& request,
                    Callback<api::ChecksAnswer> done) {
  if (!request.service().empty() && servers_->find_service(request.service()) == nullptr) {
    return done(tl::unexpected(
        failure(api::Failure::NOT_FOUND, fmt::format("no service \"{}\"", request.service()))));
  }
  const auto targets = servers_->targets();
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

}  // namespace ballast::control
