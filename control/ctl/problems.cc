#include <algorithm>

#include <fmt/format.h>

#include "control/ctl/status_view.h"
#include "control/ctl/vrrp_words.h"
#include "control/ctl/words.h"

namespace ballast::control {
namespace {

using Severity = api::Warning::Severity;

class Findings {
 public:
  void add(Severity severity, std::string subject, std::string text) {
    api::Warning& warning = found_.emplace_back();
    warning.set_severity(severity);
    warning.set_subject(std::move(subject));
    warning.set_text(std::move(text));
  }
  void add(const api::Warning& warning) { found_.push_back(warning); }

  std::vector<api::Warning> worst_first() && {
    std::stable_sort(found_.begin(), found_.end(),
                     [](const auto& a, const auto& b) { return a.severity() > b.severity(); });
    return std::move(found_);
  }

 private:
  std::vector<api::Warning> found_;
};

// New connections of mode fullnat that find no local port are lost. What is long past is not told.
void look_at_local_ports(const api::LocalPortStatus& ports, Findings& findings) {
  constexpr uint64_t kRecently = 60;
  const auto lost = [](uint64_t packets, uint64_t seconds_ago) {
    return fmt::format("{} of new connections dropped, the last {} ago",
                       count(packets, "packet", "packets"), duration(seconds_ago));
  };
  if (ports.has_exhausted_seconds_ago() && ports.exhausted_seconds_ago() < kRecently) {
    findings.add(Severity::Warning_Severity_OUTAGE, "local ports",
                 fmt::format("exhausted towards a server: {}: give the fullnat services more "
                             "local_addresses",
                             lost(ports.exhausted_drops(), ports.exhausted_seconds_ago())));
  }
  if (ports.has_no_room_seconds_ago() && ports.no_room_seconds_ago() < kRecently) {
    findings.add(Severity::Warning_Severity_OUTAGE, "local ports",
                 fmt::format("no room for more: {}: raise trusted in [connections] of "
                             "dataplane.toml",
                             lost(ports.no_room_drops(), ports.no_room_seconds_ago())));
  } else if (const uint64_t used = ports.taken() + ports.resting();
             ports.capacity() > 0 && used >= ports.capacity() / 10 * 9) {
    findings.add(Severity::Warning_Severity_DEGRADED, "local ports",
                 fmt::format("{} of the room for them is in use: {} of {}",
                             share(used, ports.capacity()), used, ports.capacity()));
  }
}

void look_at_dataplane(const api::DataplaneStatus& dataplane, Findings& findings) {
  if (!dataplane.connected()) {
    findings.add(
        Severity::Warning_Severity_OUTAGE, "dataplane",
        fmt::format("not connected for {}: {}", duration(dataplane.disconnected_seconds()),
                    dataplane.last_error().empty() ? dataplane.socket() : dataplane.last_error()));
    return;  // what is known of it is old
  }
  if (!dataplane.in_sync()) {
    findings.add(Severity::Warning_Severity_DEGRADED, "dataplane",
                 "does not run on the loaded configuration yet");
  }
  for (const auto& worker : dataplane.workers()) {
    if (worker.stalled()) {
      findings.add(Severity::Warning_Severity_OUTAGE, fmt::format("worker {}", worker.worker()),
                   "stalled: its share of the traffic is not forwarded");
    }
  }
  for (const auto& port : dataplane.ports()) {
    if (!port.info().up()) {
      findings.add(Severity::Warning_Severity_OUTAGE, "port " + port.info().name(),
                   fmt::format("link is down ({})", port.info().device()));
    }
  }
  look_at_local_ports(dataplane.local_ports(), findings);
  const uint64_t connections = dataplane.trusted_connections() + dataplane.untrusted_connections();
  if (dataplane.connection_capacity() > 0 &&
      connections >= dataplane.connection_capacity() / 10 * 9) {
    findings.add(Severity::Warning_Severity_DEGRADED, "connections",
                 fmt::format("table is {} full: {} of {}",
                             share(connections, dataplane.connection_capacity()), connections,
                             dataplane.connection_capacity()));
  }
}

void look_at_services(const api::StatusAnswer& status, Findings& findings) {
  for (const auto& service : status.services()) {
    const std::string subject = "service " + service.name();
    const std::string summary = fmt::format("{} of {} up", service.servers_up(),
                                            count(service.servers(), "server", "servers"));
    if (service.servers() == 0) {
      findings.add(Severity::Warning_Severity_OUTAGE, subject, "has no servers");
    } else if (service.servers_up() == 0) {
      findings.add(Severity::Warning_Severity_OUTAGE, subject, summary);
    } else if (service.servers_up() + service.servers_overridden() < service.servers()) {
      findings.add(Severity::Warning_Severity_DEGRADED, subject, summary);
    }
    if (service.servers_overridden() > 0) {
      findings.add(Severity::Warning_Severity_NOTE, subject,
                   fmt::format("{} drained or disabled by hand",
                               count(service.servers_overridden(), "server", "servers")));
    }
  }
}

// A backup is as it should be. What cannot take over is a node less, though traffic may flow.
void look_at_vrrp(const api::StatusAnswer& status, Findings& findings) {
  for (const auto& instance : status.vrrp()) {
    const std::string subject = "vrrp " + instance.name();
    for (const std::string& fault : instance.faults()) {
      findings.add(Severity::Warning_Severity_DEGRADED, subject, "FAULT: " + fault);
    }
    const bool takes_part = instance.state() == api::ACTIVE || instance.state() == api::BACKUP;
    if (!takes_part && instance.faults().empty()) {
      findings.add(Severity::Warning_Severity_DEGRADED, subject,
                   state_word(instance.state()) + ": takes no part in elections");
    }
    for (const std::string& disagreement : instance.disagreements()) {
      findings.add(Severity::Warning_Severity_DEGRADED, subject, "disagreement: " + disagreement);
    }
    if (instance.held_back()) {
      findings.add(Severity::Warning_Severity_NOTE, subject,
                   held_back_text(instance.group(), instance.name()));
    }
  }
}

void look_at_configuration(const api::ConfigurationStatus& configuration, Findings& findings) {
  const bool refused = configuration.last_reload() == api::ConfigurationStatus::REFUSED;
  if (!refused && configuration.last_reload() != api::ConfigurationStatus::UNCONFIRMED) {
    return;
  }
  const auto& errors = configuration.last_reload_errors();
  std::string text = fmt::format(
      "reload {} {} ago{}", refused ? "refused" : "not confirmed",
      duration(configuration.last_reload_seconds_ago()),
      refused ? ", the one before stays in force" : " on every worker of the dataplane");
  if (!errors.empty()) {
    text += ": " + errors[0];
  }
  if (errors.size() > 1) {
    text += fmt::format(" (and {} more)", errors.size() - 1);
  }
  findings.add(Severity::Warning_Severity_DEGRADED, "configuration", text);
}

}  // namespace

std::vector<api::Warning> problems(const api::StatusAnswer& status) {
  Findings findings;
  look_at_dataplane(status.dataplane(), findings);
  look_at_services(status, findings);
  look_at_vrrp(status, findings);
  look_at_configuration(status.configuration(), findings);
  for (const auto& warning : status.warnings()) {
    findings.add(warning);
  }
  return std::move(findings).worst_first();
}

}  // namespace ballast::control
