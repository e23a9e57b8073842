#include "control/ctl/status_view.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "control/api/printable.h"
#include "control/ctl/vrrp_words.h"
#include "control/ctl/words.h"

namespace ballast::control {
namespace {

constexpr std::string_view kIndent = "  ";

std::pair<std::string_view, Colour> severity_word(api::Warning::Severity severity) {
  switch (severity) {
    case api::Warning::OUTAGE:
      return {"OUTAGE", Colour::kBad};
    case api::Warning::DEGRADED:
      return {"DEGRADED", Colour::kWarning};
    default:
      return {"NOTE", Colour::kNone};
  }
}

struct ServerCount {
  uint64_t servers = 0;
  uint64_t up = 0;
};

ServerCount count_servers(const api::StatusAnswer& status) {
  ServerCount total;
  for (const auto& service : status.services()) {
    total.servers += service.servers();
    total.up += service.servers_up();
  }
  return total;
}

// What a node that is not alone says of itself, so that nobody wonders where its traffic is.
std::string role(const api::StatusAnswer& status, Style style) {
  std::map<api::VrrpState, std::vector<std::string>, std::greater<>> names;
  for (const auto& instance : status.vrrp()) {
    names[instance.state()].push_back(printable(instance.name()));
  }
  if (names.size() == 1) {
    const Cell state = state_cell(names.begin()->first);
    return "; this node is " + style.paint(state.colour, state.text) +
           (names.begin()->first == api::BACKUP ? ", traffic goes to the active one" : "");
  }
  std::vector<std::string> parts;
  for (const auto& [number, members] : names) {
    const Cell state = state_cell(number);
    constexpr size_t kMostNames = 4;
    parts.push_back(style.paint(state.colour, state.text) + " for " +
                    (members.size() <= kMostNames ? fmt::format("{}", fmt::join(members, ", "))
                                                  : fmt::format("{} instances", members.size())));
  }
  return parts.empty() ? "" : fmt::format("; this node is {}", fmt::join(parts, "; "));
}

// One line that says it all, then one for each thing that is wrong.
std::string verdict(const api::StatusAnswer& status, Style style) {
  const auto found = problems(status);
  const ServerCount total = count_servers(status);
  std::pair<std::string_view, Colour> word{"OK", Colour::kGood};
  if (!found.empty() && found.front().severity() != api::Warning::NOTE) {
    word = severity_word(found.front().severity());
  }
  const std::string text =
      fmt::format("{}: {}, {} of {} up{}\n", style.paint(word.second, word.first),
                  count(static_cast<uint64_t>(status.services_size()), "service", "services"),
                  total.up, count(total.servers, "server", "servers"), role(status, style));
  Table table({{""}, {""}, {""}}, style, std::string(kIndent));
  for (const auto& warning : found) {
    const auto [severity, paint] = severity_word(warning.severity());
    table.add({{std::string(severity), paint}, warning.subject() + ":", warning.text()});
  }
  return text + table.rows_to_string() + "\n";
}

std::string configuration_line(const api::ConfigurationStatus& configuration) {
  std::string text =
      fmt::format("{}, loaded {} ago ({})", configuration.file(),
                  duration(configuration.loaded_seconds_ago()), utc(configuration.loaded_at()));
  switch (configuration.last_reload()) {
    case api::ConfigurationStatus::ACCEPTED:
      text += fmt::format(", last reload accepted {} ago",
                          duration(configuration.last_reload_seconds_ago()));
      break;
    case api::ConfigurationStatus::UNCONFIRMED:
      text += fmt::format(", last reload NOT CONFIRMED {} ago",
                          duration(configuration.last_reload_seconds_ago()));
      break;
    case api::ConfigurationStatus::REFUSED:
      text += fmt::format(", last reload REFUSED {} ago",
                          duration(configuration.last_reload_seconds_ago()));
      break;
    default:
      break;
  }
  return text;
}

std::string dataplane_line(const api::DataplaneStatus& dataplane) {
  if (!dataplane.connected()) {
    return fmt::format("not connected, {}", dataplane.socket());
  }
  return fmt::format("{}, instance {}, up {}, generation {}", dataplane.version(),
                     dataplane.instance_id(), duration(dataplane.uptime_seconds()),
                     dataplane.generation());
}

std::string connection_line(const api::DataplaneStatus& dataplane) {
  const uint64_t all = dataplane.trusted_connections() + dataplane.untrusted_connections();
  std::string text = fmt::format("{} trusted, {} untrusted", dataplane.trusted_connections(),
                                 dataplane.untrusted_connections());
  if (dataplane.connection_capacity() > 0) {
    text +=
        fmt::format(" of {} ({}, {})", dataplane.connection_capacity(),
                    share(all, dataplane.connection_capacity()), bytes(dataplane.memory_bytes()));
  }
  return text;
}

std::string local_port_line(const api::LocalPortStatus& ports) {
  const uint64_t used = ports.taken() + ports.resting();
  return fmt::format("{} taken, {} resting{}", ports.taken(), ports.resting(),
                     ports.capacity() == 0 ? ""
                                           : fmt::format(" of {} ({})", ports.capacity(),
                                                         share(used, ports.capacity())));
}

Cell vrrp_line(const api::VrrpSummary& instance) {
  const Cell state = state_cell(instance.state());
  std::string text = fmt::format("{}: {}, priority {}, for {}", instance.name(), state.text,
                                 priority_text(instance.priority(), instance.configured_priority()),
                                 duration(instance.changed_seconds_ago()));
  return {text + (instance.reason().empty() ? "" : ": " + instance.reason()), state.colour};
}

std::string general(const api::StatusAnswer& status, Style style) {
  Table table({{""}, {""}}, style);
  table.add({"ballastd", fmt::format("{}, pid {}, up {}", status.version(), status.pid(),
                                     duration(status.uptime_seconds()))});
  table.add({"configuration", configuration_line(status.configuration())});
  table.add({"dataplane", dataplane_line(status.dataplane())});
  if (status.dataplane().connected()) {
    table.add({"connections", connection_line(status.dataplane())});
    const auto& local_ports = status.dataplane().local_ports();
    if (local_ports.taken() + local_ports.resting() > 0) {
      table.add({"local ports", local_port_line(local_ports)});
    }
    table.add({"drops", status.dataplane().drops_total() == 0
                            ? std::string("none")
                            : fmt::format("{} packets (ballastctl drops says why)",
                                          status.dataplane().drops_total())});
  }
  for (const auto& instance : status.vrrp()) {
    table.add({"vrrp", vrrp_line(instance)});
  }
  return table.rows_to_string();
}

std::string services(const api::StatusAnswer& status, Style style) {
  if (status.services().empty()) {
    return "\nno services are configured\n";
  }
  Table table({{"Service"}, {"Servers"}, {"ActiveConn", Align::kRight}}, style);
  for (const auto& service : status.services()) {
    Colour colour = Colour::kWarning;
    if (service.servers_up() == 0) {
      colour = Colour::kBad;
    } else if (service.servers_up() == service.servers()) {
      colour = Colour::kGood;
    }
    table.add(
        {service.name(),
         {fmt::format("{} of {} up", service.servers_up(), service.servers()), colour},
         status.dataplane().connected() ? std::to_string(service.active_connections()) : "-"});
  }
  return "\n" + table.to_string();
}

std::string rate(bool known, uint64_t packets_per_second) {
  return known ? std::to_string(packets_per_second) : "-";
}

std::string ports(const api::DataplaneStatus& dataplane, Style style) {
  Table table({{"Port"},
               {"Device"},
               {"Link"},
               {"MAC"},
               {"Queues", Align::kRight},
               {"InPPS", Align::kRight},
               {"OutPPS", Align::kRight},
               {"Missed", Align::kRight},
               {"Errors", Align::kRight},
               {"Steering"}},
              style);
  for (const auto& port : dataplane.ports()) {
    const auto& info = port.info();
    const auto& statistics = port.statistics();
    table.add({info.name(), info.device(),
               info.up() ? Cell("up", Colour::kGood) : Cell("DOWN", Colour::kBad), info.mac(),
               std::to_string(info.rx_queues()),
               rate(port.has_rx_packets_per_second(), port.rx_packets_per_second()),
               rate(port.has_tx_packets_per_second(), port.tx_packets_per_second()),
               std::to_string(statistics.rx_missed()),
               std::to_string(statistics.rx_errors() + statistics.tx_errors()), info.steering()});
  }
  return table.empty() ? "" : "\n" + table.to_string();
}

std::string workers(const api::DataplaneStatus& dataplane, Style style) {
  Table table({{"Worker", Align::kRight},
               {"State"},
               {"Busy", Align::kRight},
               {"Packets", Align::kRight},
               {"HandedOver", Align::kRight},
               {"Fragments", Align::kRight},
               {"Trusted", Align::kRight},
               {"Untrusted", Align::kRight},
               {"LocalPorts", Align::kRight},
               {"Punted", Align::kRight}},
              style);
  for (const auto& worker : dataplane.workers()) {
    const uint64_t busy = worker.polls() - std::min(worker.polls(), worker.idle_polls());
    table.add({std::to_string(worker.worker()),
               worker.stalled() ? Cell("STALLED", Colour::kBad) : Cell("runs", Colour::kGood),
               share(busy, worker.polls()), std::to_string(worker.packets()),
               std::to_string(worker.handed_over()), std::to_string(worker.handed_over_fragments()),
               std::to_string(worker.trusted()), std::to_string(worker.untrusted()),
               std::to_string(worker.local_ports_taken()), std::to_string(worker.punted())});
  }
  return table.empty() ? "" : "\n" + table.to_string();
}

}  // namespace

std::string render_status(const api::StatusAnswer& status, Style style) {
  std::string text = verdict(status, style) + general(status, style) + services(status, style);
  if (status.dataplane().connected()) {
    text += ports(status.dataplane(), style) + workers(status.dataplane(), style);
  }
  return text;
}

}  // namespace ballast::control
