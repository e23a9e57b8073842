// [[service]] of ballast.toml.
#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "control/config/endpoint.h"
#include "control/config/names.h"
#include "control/config/read_check.h"
#include "control/config/read_configuration.h"
#include "control/config/read_mode.h"
#include "control/config/validate.h"

namespace ballast::control {
namespace {

using healthcheck::CheckType;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TomlWord<Refuse> kRefuse[] = {{"answer", Refuse::kAnswer}, {"drop", Refuse::kDrop}};
constexpr TomlWord<OnServerDown> kOnServerDown[] = {{"keep", OnServerDown::kKeep},
                                                    {"reset", OnServerDown::kReset},
                                                    {"reschedule", OnServerDown::kReschedule}};
// LVS's names of the states of a connection (ipvsadm -c, ip_vs_proto_tcp.c) in lower case.
constexpr std::array<std::string_view, 12> kStates{
    "none",  "established", "syn_sent", "syn_recv", "fin_wait", "time_wait",
    "close", "close_wait",  "last_ack", "listen",   "synack",   "udp"};

void read_name(TomlTable& table, ServiceSettings& service, ServicePositions& positions) {
  positions.where = table.where("name");
  table.require("name");
  const auto name = table.string("name");
  if (!name) {
    return;
  }
  if (!is_name(*name)) {
    table.error("name", fmt::format("name {} is not a name: {}", quote(*name), kNameRule));
    return;
  }
  service.name = *name;
  table.set_context(fmt::format("service \"{}\"", *name));
}

void read_listeners(TomlTable& table, ServiceSettings& service, ServicePositions& positions) {
  if (!table.require("listen")) {
    positions.complete = false;
    return;
  }
  const auto texts = table.strings("listen");
  if (!texts) {
    positions.complete = false;
    return;
  }
  if (texts->empty()) {
    table.error("listen", "listen is empty: name at least one, such as \"tcp/192.0.2.10:80\"");
    positions.complete = false;
  }
  for (const TomlString& text : *texts) {
    if (const auto listener = parse_listener(text.value)) {
      service.listeners.push_back(*listener);
      positions.listeners.push_back(text.where);
    } else {
      table.error_at(text.where, "listen " + listener.error());
      positions.complete = false;
    }
  }
}

void read_scheduler(TomlTable& table, const Capabilities& capabilities, ServiceSettings& service,
                    ServicePositions& positions) {
  const std::vector<std::string_view> schedulers(capabilities.schedulers.begin(),
                                                 capabilities.schedulers.end());
  if (const auto chosen = table.word_index("scheduler", schedulers)) {
    service.scheduler = schedulers[*chosen];
  }
  positions.scheduler = table.where("scheduler");
}

void read_timeouts(TomlTable table, ServiceSettings& service) {
  for (const std::string_view state : kStates) {
    const auto timeout = table.duration(state, seconds(1), std::chrono::hours(24));
    if (!timeout) {
      continue;
    }
    if (*timeout % seconds(1) != milliseconds(0)) {
      table.error(state, fmt::format("{} is not a whole number of seconds", state));
      continue;
    }
    service.timeouts.emplace(state, std::chrono::duration_cast<seconds>(*timeout));
  }
  table.finish();
}

// The one TCP port of the listeners whose connections a server of this family gets, if there is
// exactly one: where a check goes that names none.
std::optional<uint16_t> only_tcp_port(const ServiceSettings& service, Family family) {
  std::optional<uint16_t> port;
  for (const Listener& listener : service.listeners) {
    if (listener.protocol != IpProtocol::kTcp ||
        (service.mode != Mode::kTunnel && listener.address.family() != family)) {
      continue;
    }
    if (port && *port != listener.port) {
      return std::nullopt;
    }
    port = listener.port;
  }
  return port;
}

// A server, with the port as written.
void read_server(TomlTable table, const CheckReading& inherited, ServiceSettings& service,
                 ServicePositions& positions) {
  const bool addressed = table.require("address");
  const auto text = table.string("address");
  std::optional<ServerKey> key;
  if (text) {
    if (const auto parsed = parse_server(*text)) {
      key = *parsed;
      table.set_context(fmt::format("service \"{}\": server {}", service.name, key->to_string()));
    } else {
      table.error("address", "address " + parsed.error());
    }
  }
  ServerSettings server;
  server.weight = table.integer<uint16_t>("weight", 0, 65535).value_or(server.weight);
  CheckReading check = inherited;
  if (const auto own = table.table("check")) {
    check = read_check(*own, inherited, false);
  }
  table.finish();
  if (!addressed || !key) {
    positions.complete = false;
    return;
  }
  server.key = *key;
  server.check = check.settings;
  service.servers.push_back(std::move(server));
  positions.servers.push_back(table.where("address"));
  positions.checks.push_back(table.has("check") ? table.where("check") : table.where());
}

// Needs all listeners: the port of a check may follow from them.
void resolve_check_ports(TomlTable& table, ServiceSettings& service,
                         const ServicePositions& positions) {
  const auto ipv4 = only_tcp_port(service, Family::kIpv4);
  const auto ipv6 = only_tcp_port(service, Family::kIpv6);
  for (size_t i = 0; i < service.servers.size(); ++i) {
    ServerSettings& server = service.servers[i];
    if (server.check.type == CheckType::kNone || server.check.port != 0) {
      continue;
    }
    const auto port = server.key.address.is_v4() ? ipv4 : ipv6;
    if (server.key.port != 0) {
      server.check.port = server.key.port;
    } else if (port) {
      server.check.port = *port;
    } else if (positions.complete) {
      table.error_at(positions.checks[i],
                     fmt::format("server {}: check: \"port\" is missing, and does not follow from "
                                 "the listeners: there is not exactly one TCP port{}",
                                 server.key.to_string(),
                                 service.mode == Mode::kTunnel ? "" : " of the server's family"));
    }
  }
}

}  // namespace

void read_service(TomlTable table, const Capabilities& capabilities, LocatedConfiguration& into) {
  ServiceSettings service;
  ServicePositions positions;
  read_name(table, service, positions);
  read_listeners(table, service, positions);
  read_mode(table, capabilities, service, positions, into.local_addresses_left);
  read_scheduler(table, capabilities, service, positions);
  service.on_no_server = table.word("on_no_server", kRefuse).value_or(service.on_no_server);
  service.on_server_down =
      table.word("on_server_down", kOnServerDown).value_or(service.on_server_down);
  service.sloppy_tcp = table.boolean("sloppy_tcp").value_or(service.sloppy_tcp);
  service.quorum =
      table.integer<uint32_t>("quorum", 1, static_cast<uint32_t>(kMostServers)).value_or(1);
  positions.quorum = table.where("quorum");
  positions.quorum_given = table.has("quorum");
  if (const auto timeouts = table.table("timeouts")) {
    read_timeouts(*timeouts, service);
  }
  CheckReading check;
  if (const auto own = table.table("check")) {
    check = read_check(*own, check, true);
  }
  service.check = check.settings;
  for (const TomlTable& server : table.tables("server")) {
    read_server(server, check, service, positions);
  }
  resolve_check_ports(table, service, positions);
  table.finish();
  into.configuration.services.push_back(std::move(service));
  into.services.push_back(std::move(positions));
}

}  // namespace ballast::control
