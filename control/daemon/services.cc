// `ballastctl service list`, `service show` and `checks`.
#include <utility>

#include <fmt/format.h>

#include "control/config/address_block.h"
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

void fill_counts(const ballast::api::ServerStatistics& counted, api::ServerStatus& server) {
  server.set_active_connections(counted.active_connections());
  server.set_inactive_connections(counted.inactive_connections());
  *server.mutable_counters() = counted.counters();
}

// What is the service's own. Its servers and local addresses are left out on the way: they may be
// many.
void fill_attributes(const ServiceSettings& settings, api::ServiceStatus& status) {
  ServiceSettings alone = settings;
  alone.servers.clear();
  alone.local_addresses.clear();
  const ballast::api::Service service = service_resource(alone, {}).service();
  *status.mutable_listeners() = service.listeners();
  status.set_mode(service.mode());
  status.set_scheduler(service.scheduler());
  status.set_on_no_server(service.on_no_server());
  status.set_on_server_down(service.on_server_down());
  status.set_sloppy_tcp(service.sloppy_tcp());
  *status.mutable_timeout_seconds() = service.timeout_seconds();
  for (std::string& range : ranges_of(settings.local_addresses)) {
    *status.add_local_addresses() = std::move(range);
  }
  if (service.has_tunnel()) {
    *status.mutable_tunnel() = service.tunnel();
  }
  status.set_mss(service.mss());
  status.set_mss_auto(service.mss_auto());
  status.set_one_packet(service.one_packet());
}

}  // namespace

tl::expected<AnswerPage, api::Failure> Daemon::open_page(bool paged,
                                                         const std::string& cursor) const {
  auto page = AnswerPage::open(paged, cursor, configuration_number_);
  if (page) {
    return *page;
  }
  if (page.error() == AnswerPage::Refusal::kNotACursor) {
    return tl::unexpected(
        failure(api::Failure::INVALID, fmt::format("\"{}\" is not a cursor", cursor)));
  }
  return tl::unexpected(
      failure(api::Failure::BUSY, "the configuration has changed meanwhile: begin anew"));
}

void Daemon::list_services(const Peer&, const api::ListServicesRequest& request,
                           Callback<api::ListServicesAnswer> done) {
  if (!request.name().empty() && servers_->find_service(request.name()) == nullptr) {
    return done(tl::unexpected(
        failure(api::Failure::NOT_FOUND, fmt::format("no service \"{}\"", request.name()))));
  }
  statistics_->fetch(
      [this, done, request](const std::optional<ballast::api::Statistics>& statistics) {
        auto page = open_page(request.paged(), request.cursor());
        if (!page) {
          return done(tl::unexpected(page.error()));
        }
        api::ListServicesAnswer answer;
        answer.set_counted(statistics.has_value());
        answer.set_counted_at_ms(
            static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                      std::chrono::steady_clock::now().time_since_epoch())
                                      .count()));
        const ServiceCounts counts = statistics ? count_by_service(*statistics) : ServiceCounts{};
        const auto targets = servers_->targets();
        for (const ServiceSettings& service : configuration_.services) {
          if (request.name().empty() || request.name() == service.name) {
            fill_service(service, counts, targets, *page, answer);
          }
        }
        answer.set_next_cursor(page->next_cursor());
        done(answer);
      });
}

Daemon::ServiceCounts Daemon::count_by_service(const ballast::api::Statistics& statistics) {
  ServiceCounts counts;
  for (const ballast::api::ServerStatistics& server : statistics.servers()) {
    if (const auto address = IpAddress::parse(server.address())) {
      counts[server.service()][{*address, static_cast<uint16_t>(server.port())}] = &server;
    }
  }
  return counts;
}

void Daemon::fill_service(const ServiceSettings& settings, const ServiceCounts& counts,
                          const ServersPart::Targets& targets, AnswerPage& page,
                          api::ListServicesAnswer& answer) const {
  const auto first = page.begin_service(settings.servers.size());
  if (!first) {
    return;
  }
  api::ServiceStatus& status = *answer.add_services();
  status.set_name(settings.name);
  if (*first == 0) {
    fill_attributes(settings, status);
    (void)page.take(0, status.ByteSizeLong());
  }
  ServiceCounts::mapped_type left;
  if (const auto found = counts.find(settings.name); found != counts.end()) {
    left = found->second;
  }
  for (size_t i = 0; i < settings.servers.size(); ++i) {
    const ServerSettings& each = settings.servers[i];
    const auto counted = left.extract(each.key);
    if (i < *first) {
      continue;
    }
    api::ServerStatus server;
    fill_server({settings.name, each.key}, each, targets, server);
    if (!counted.empty()) {
      fill_counts(*counted.mapped(), server);
    }
    if (!page.take(i, server.ByteSizeLong())) {
      return;
    }
    *status.add_servers() = std::move(server);
  }
  // Those that are configured no more, and have connections still.
  for (const auto& [key, counted] : left) {
    api::ServerStatus& server = *status.add_servers();
    server.set_address(counted->address());
    server.set_port(counted->port());
    server.set_removed(true);
    fill_counts(*counted, server);
  }
}

void Daemon::fill_counts_of(const ServerId& id, const ballast::api::Statistics& statistics,
                            api::ServerStatus& status) {
  const ServiceCounts counts = count_by_service(statistics);
  const auto service = counts.find(id.service);
  if (service == counts.end()) {
    return;
  }
  if (const auto server = service->second.find(id.server); server != service->second.end()) {
    fill_counts(*server->second, status);
  }
}

void Daemon::fill_server(const ServerId& id, const ServerSettings& settings,
                         const ServersPart::Targets& targets, api::ServerStatus& status) const {
  const ServerCondition condition = condition_in_force(settings, servers_->condition_of(id));
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
  auto page = open_page(request.paged(), request.cursor());
  if (!page) {
    return done(tl::unexpected(page.error()));
  }
  const auto targets = servers_->targets();
  api::ChecksAnswer answer;
  for (const ServiceSettings& service : configuration_.services) {
    if (!request.service().empty() && request.service() != service.name) {
      continue;
    }
    const size_t count = service.servers.size();
    for (size_t i = page->begin_service(count).value_or(count); i < count; ++i) {
      const ServerId id{service.name, service.servers[i].key};
      const auto target = targets.find(id.to_string());
      if (target == targets.end()) {
        continue;
      }
      api::CheckStatus check = check_status(id, target->second);
      if (!page->take(i, check.ByteSizeLong())) {
        break;
      }
      *answer.add_checks() = std::move(check);
    }
  }
  answer.set_next_cursor(page->next_cursor());
  done(answer);
}

}  // namespace ballast::control
