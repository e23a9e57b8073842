#include "control/ctl/service_view.h"

#include <algorithm>

#include <fmt/format.h>

#include "control/api/printable.h"
#include "control/ctl/words.h"

namespace ballast::control {
namespace {

constexpr size_t kAddressWidth = 33;  // ipvsadm's: "  -> " and 28 for the address

std::string_view encapsulation_word(ballast::api::Encapsulation encapsulation) {
  switch (encapsulation) {
    case ballast::api::IPIP:
      return "ipip";
    case ballast::api::GRE:
      return "gre";
    case ballast::api::GUE:
      return "gue";
    default:
      return "?";
  }
}

std::string mss_word(const api::ServiceStatus& service) {
  if (service.mss_auto()) {
    return "auto";
  }
  return service.mss() == 0 ? "" : std::to_string(service.mss());
}

std::string flags_of(const api::ServiceStatus& service) {
  std::string flags;
  if (service.has_tunnel()) {
    flags += fmt::format(" {}", encapsulation_word(service.tunnel().encapsulation()));
  }
  if (const std::string mss = mss_word(service); !mss.empty()) {
    flags += " mss-" + mss;
  }
  if (service.one_packet()) {
    flags += " one-packet";
  }
  return flags + (service.sloppy_tcp() ? " sloppy-tcp" : "");
}

// "gue to port 6080, without UDP checksum over IPv6, from 10.0.0.200/29"
std::string tunnel_text(const ballast::api::Tunnel& tunnel) {
  std::string text(encapsulation_word(tunnel.encapsulation()));
  if (tunnel.encapsulation() == ballast::api::GUE) {
    text += fmt::format(" to port {}, {} UDP checksum over IPv6", tunnel.gue_port(),
                        tunnel.no_udp_checksum() ? "without" : "with");
  }
  return text + (tunnel.sources().empty()
                     ? ", from the outgoing port's address"
                     : fmt::format(", from {}", fmt::join(tunnel.sources(), ", ")));
}

void add_mode(const api::ServiceStatus& service, Table& table) {
  table.add({"mode", mode_word(service.mode())});
  if (!service.local_addresses().empty()) {
    table.add({"local", fmt::format("{}", fmt::join(service.local_addresses(), ", "))});
  }
  if (service.has_tunnel()) {
    table.add({"tunnel", tunnel_text(service.tunnel())});
  }
  if (service.mss_auto()) {
    table.add({"mss", "SYNs announce at most what fits the way to the server"});
  } else if (service.mss() != 0) {
    table.add({"mss", fmt::format("SYNs announce at most {}", service.mss())});
  }
  if (service.one_packet()) {
    table.add({"one packet", "every UDP datagram is scheduled by itself"});
  }
}

// "TCP  192.0.2.10:80 wrr web"
std::string listener_line(const api::ServiceStatus& service,
                          const ballast::api::Listener& listener) {
  return printable(fmt::format("{:<4} {} {} {}{}", protocol(listener.protocol()),
                               endpoint(listener.address(), listener.port()), service.scheduler(),
                               service.name(), flags_of(service)));
}

std::string counted(bool known, uint64_t number) {
  return known ? std::to_string(number) : "-";
}

std::string timeouts(const api::ServiceStatus& service) {
  std::vector<std::string> parts;
  for (const auto& [state, seconds] : service.timeout_seconds()) {
    parts.push_back(fmt::format("{} {}s", state, seconds));
  }
  std::sort(parts.begin(), parts.end());  // a protobuf map has no order
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string on_server_down(ballast::api::OnServerDown value) {
  switch (value) {
    case ballast::api::RESET:
      return "its connections are reset";
    case ballast::api::RESCHEDULE:
      return "its connections move to other servers";
    default:
      return "its connections are kept";
  }
}

std::string attributes(const api::ServiceStatus& service, Style style) {
  std::vector<std::string> listeners;
  for (const auto& listener : service.listeners()) {
    listeners.push_back(protocol(listener.protocol()) + " " +
                        endpoint(listener.address(), listener.port()));
  }
  const auto up =
      std::count_if(service.servers().begin(), service.servers().end(), takes_connections);
  const auto configured = std::count_if(service.servers().begin(), service.servers().end(),
                                        [](const auto& server) { return !server.removed(); });
  Colour colour = Colour::kWarning;
  if (up == 0) {
    colour = Colour::kBad;
  } else if (up == configured) {
    colour = Colour::kGood;
  }
  Table table({{""}, {""}}, style);
  table.add({"service", {service.name(), Colour::kHeading}});
  table.add({"state",
             {fmt::format("{} of {} up", up,
                          count(static_cast<uint64_t>(configured), "server", "servers")),
              colour}});
  table.add({"listens on", fmt::format("{}", fmt::join(listeners, ", "))});
  add_mode(service, table);
  table.add({"scheduler", service.scheduler()});
  table.add({"no server", service.on_no_server() == ballast::api::DROP
                              ? "packets are dropped silently"
                              : "clients get a TCP reset or ICMP port unreachable"});
  table.add({"server down", on_server_down(service.on_server_down())});
  if (service.sloppy_tcp()) {
    table.add({"sloppy tcp", "connections may begin without a SYN"});
  }
  if (!service.timeout_seconds().empty()) {
    table.add({"timeouts", timeouts(service)});
  }
  return table.rows_to_string();
}

std::string server_details(const api::ServiceStatus& service, bool known, Style style) {
  Table table({{"Server"},
               {"Forward"},
               {"Weight", Align::kRight},
               {"Configured", Align::kRight},
               {"ActiveConn", Align::kRight},
               {"InActConn", Align::kRight},
               {"Health"},
               {"For", Align::kRight},
               {"Last check"}},
              style);
  for (const auto& server : service.servers()) {
    const bool checked = server.has_check() && !server.removed();
    table.add({server_endpoint(service, server), forward_word(service.mode()),
               std::to_string(server.weight()), std::to_string(server.configured_weight()),
               counted(known, server.active_connections()),
               counted(known, server.inactive_connections()), health_cell(server),
               checked ? duration(server.check().changed_seconds_ago()) : "-",
               checked ? server.check().last_result() : ""});
  }
  return table.to_string();
}

}  // namespace

std::string render_services(const api::ListServicesAnswer& answer, Style style) {
  if (answer.services().empty()) {
    return "no services are configured\n";
  }
  Table table({{"  -> RemoteAddress:Port", Align::kLeft, kAddressWidth},
               {"Forward"},
               {"Weight", Align::kRight},
               {"ActiveConn", Align::kRight},
               {"InActConn", Align::kRight},
               {"Health"}},
              style);
  for (const auto& service : answer.services()) {
    for (const auto& listener : service.listeners()) {
      table.add_line(listener_line(service, listener));
    }
    for (const auto& server : service.servers()) {
      table.add({"  -> " + server_endpoint(service, server), forward_word(service.mode()),
                 std::to_string(server.weight()),
                 counted(answer.counted(), server.active_connections()),
                 counted(answer.counted(), server.inactive_connections()), health_cell(server)});
    }
  }
  return style.paint(Colour::kHeading, "Prot LocalAddress:Port Scheduler Service Flags") + "\n" +
         table.to_string();
}

std::string render_service_details(const api::ListServicesAnswer& answer, Style style) {
  std::string text;
  for (const auto& service : answer.services()) {
    text += text.empty() ? "" : "\n";
    text += attributes(service, style) + "\n";
    text += service.servers().empty() ? "no servers are configured\n"
                                      : server_details(service, answer.counted(), style);
    if (answer.counted()) {
      api::ListServicesAnswer alone;
      *alone.add_services() = service;
      alone.set_counted(true);
      text += "\n" + render_counters(alone, style);
    }
  }
  return text;
}

}  // namespace ballast::control
