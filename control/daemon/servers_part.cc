#include "control/daemon/servers_part.h"

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include <spdlog/spdlog.h>

#include "control/dataplane_link/resources.h"
#include "control/dataplane_link/weight_in_force.h"

namespace ballast::control {

ServersPart::ServersPart(boost::asio::io_context& loop, const Configuration& configuration,
                         DataplaneLink& link, uint32_t checks_at_once,
                         std::function<void()> on_change)
    : loop_(loop),
      configuration_(configuration),
      link_(link),
      checks_at_once_(checks_at_once),
      on_change_(std::move(on_change)) {}

ServersPart::~ServersPart() = default;

void ServersPart::adopt(ServerConditions known) {
  spdlog::info("adopted the condition of {} servers from the dataplane", known.size());
  for (const auto& [id, condition] : conditions_) {
    known[id].override_by_hand = condition.override_by_hand;
  }
  conditions_ = std::move(known);
}

void ServersPart::start_checks() {
  if (!monitor_) {
    monitor_ = std::make_unique<healthcheck::Monitor>(
        loop_,
        healthcheck::MonitorOptions{.max_in_flight = checks_at_once_,
                                    .seed = std::random_device{}()},
        [this](const healthcheck::Flip& flip) { on_flip(flip); });
    set_targets();
  }
}

void ServersPart::stop_checks() {
  monitor_.reset();
}

void ServersPart::configuration_changed() {
  if (monitor_) {
    set_targets();
  }
  // Health may have changed between the proposal of these services and its acceptance.
  for (const ServiceSettings& service : configuration_.services) {
    say(service);
  }
}

ballast::api::Override ServersPart::set_override(const ServerId& id,
                                                 ballast::api::Override override) {
  const ballast::api::Override before = std::exchange(conditions_[id].override_by_hand, override);
  if (const ServiceSettings* service = find_service(id.service)) {
    say(*service);
  }
  on_change_();
  return before;
}

ServerCondition ServersPart::condition_of(const ServerId& id) const {
  const auto found = conditions_.find(id);
  return found != conditions_.end() ? found->second : ServerCondition{};
}

const ServiceSettings* ServersPart::find_service(const std::string& name) const {
  const auto found =
      std::find_if(configuration_.services.begin(), configuration_.services.end(),
                   [&name](const ServiceSettings& service) { return service.name == name; });
  return found != configuration_.services.end() ? &*found : nullptr;
}

ServersPart::Targets ServersPart::targets() const {
  Targets targets;
  if (monitor_) {
    for (healthcheck::TargetStatus& target : monitor_->snapshot()) {
      targets.emplace(target.key, std::move(target));
    }
  }
  return targets;
}

void ServersPart::set_targets() {
  std::vector<healthcheck::Target> targets;
  ServerConditions kept;
  ids_.clear();
  for (const ServiceSettings& service : configuration_.services) {
    for (const ServerSettings& server : service.servers) {
      const ServerId id{service.name, server.key};
      kept[id] = condition_of(id);
      ids_.emplace(id.to_string(), id);
      targets.push_back({.key = id.to_string(),
                         .address = server.key.address,
                         .port = server.check.port,
                         .settings = server.check,
                         .initial = kept[id].health});
    }
  }
  conditions_ = std::move(kept);
  monitor_->set_targets(std::move(targets));
}

void ServersPart::on_flip(const healthcheck::Flip& flip) {
  const auto found = ids_.find(flip.key);
  if (found == ids_.end()) {
    return;
  }
  const ServerId& id = found->second;
  conditions_[id].health = flip.to;
  const auto level =
      flip.to == healthcheck::Health::kDown ? spdlog::level::warn : spdlog::level::info;
  spdlog::log(level, "service \"{}\": server {} is {}: {}", id.service, id.server.to_string(),
              to_string(flip.to), flip.reason);
  if (const ServiceSettings* service = find_service(id.service)) {
    say(*service);
  }
  on_change_();
}

ServersPart::Quorum ServersPart::quorum_of(const std::string& name) const {
  const ServiceSettings* service = find_service(name);
  if (service == nullptr) {
    return {0, 1};
  }
  const auto is_usable = [&](const ServerSettings& server) {
    return weight_in_force(server.weight,
                           condition_in_force(server, condition_of({name, server.key}))) != 0;
  };
  return {static_cast<size_t>(
              std::count_if(service->servers.begin(), service->servers.end(), is_usable)),
          service->quorum};
}

ServersPart::Unchecked ServersPart::not_checked_yet(const std::set<IpAddress>& vips) const {
  const Targets known = targets();
  Unchecked unchecked;
  for (const ServiceSettings& service : configuration_.services) {
    const auto is_concerned = [&vips](const Listener& listener) {
      return vips.count(listener.address) != 0;
    };
    if (std::none_of(service.listeners.begin(), service.listeners.end(), is_concerned)) {
      continue;
    }
    for (const ServerSettings& server : service.servers) {
      if (server.check.type == healthcheck::CheckType::kNone) {
        continue;
      }
      const auto target = known.find(ServerId{service.name, server.key}.to_string());
      ++unchecked.of;
      if (target != known.end() && target->second.last_ended) {
        continue;
      }
      if (unchecked.count++ == 0) {
        unchecked.first = service.name + " " + server.key.to_string();
      }
    }
  }
  return unchecked;
}

void ServersPart::say(const ServiceSettings& service) {
  link_.update(service_resource(service, conditions_));
}

}  // namespace ballast::control
