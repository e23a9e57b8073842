// What else ballastctl asks for: ports, connections, drops, the configuration, changes by hand.
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "control/config/diff.h"
#include "control/daemon/daemon.h"
#include "control/daemon/describe_change.h"

namespace ballast::control {
namespace {

// For a change by hand, until every worker runs on it.
constexpr std::chrono::seconds kConfirmation{2};

api::Failure not_connected(const DataplaneLink& link) {
  return failure(
      api::Failure::DATAPLANE_NOT_CONNECTED,
      fmt::format("ballast-dataplane is not connected ({}): {}", link.socket(), link.trouble()));
}

}  // namespace

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

void Daemon::list_ports(const Peer&, const api::ListPortsRequest& request,
                        Callback<api::ListPortsAnswer> done) {
  if (!link_->hello()) {
    return done(tl::unexpected(not_connected(*link_)));
  }
  statistics_->fetch(
      [this, done, name = request.name()](const std::optional<ballast::api::Statistics>& known) {
        api::DataplaneStatus status;
        fill_dataplane(known, status);
        api::ListPortsAnswer answer;
        std::vector<std::string> names;
        for (api::PortStatus& port : *status.mutable_ports()) {
          names.push_back(port.info().name());
          if (name.empty() || name == port.info().name()) {
            *answer.add_ports() = std::move(port);
          }
        }
        if (!name.empty() && answer.ports().empty()) {
          return done(tl::unexpected(
              failure(api::Failure::NOT_FOUND,
                      fmt::format("no port \"{}\" ({})", name, fmt::join(names, ", ")))));
        }
        *answer.mutable_workers() = std::move(*status.mutable_workers());
        done(answer);
      });
}

void Daemon::drops(const Peer&, const api::DropsRequest&, Callback<api::DropsAnswer> done) {
  statistics_->fetch([this, done](const std::optional<ballast::api::Statistics>& statistics) {
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
  const ServiceSettings* service = servers_->find_service(request.service());
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
  const ballast::api::Override before = servers_->set_override(id, request.override());
  link_->when_confirmed(service_resource_key(service->name), kConfirmation,
                        [this, id, settings = *meant.front(), before, done](bool confirmed) {
                          answer_override(id, settings, before, confirmed, done);
                        });
}

void Daemon::answer_override(const ServerId& id, const ServerSettings& settings,
                             ballast::api::Override before, bool confirmed,
                             const Callback<api::SetServerOverrideAnswer>& done) {
  api::SetServerOverrideAnswer answer;
  answer.set_service(id.service);
  answer.set_before(before);
  fill_server(id, settings, servers_->targets(), *answer.mutable_server());
  answer.set_dataplane_connected(link_->connected());
  answer.set_dataplane_confirmed(confirmed);
  if (!confirmed) {
    return done(answer);  // a dataplane that hangs would not say its counts either
  }
  statistics_->fetch(
      [id, answer, done](const std::optional<ballast::api::Statistics>& statistics) mutable {
        if (statistics) {
          fill_counts_of(id, *statistics, *answer.mutable_server());
        }
        done(answer);
      });
}

}  // namespace ballast::control
