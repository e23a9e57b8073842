#include "control/config/read_configuration.h"

#include <algorithm>

#include <fmt/format.h>

#include "control/config/account.h"
#include "control/config/endpoint.h"
#include "control/config/names.h"
#include "control/config/read_vrrp.h"

namespace ballast::control {
namespace {

constexpr TomlWord<LogLevel> kLogLevels[] = {{"debug", LogLevel::kDebug},
                                             {"info", LogLevel::kInfo},
                                             {"warning", LogLevel::kWarning},
                                             {"error", LogLevel::kError}};
constexpr TomlWord<Refuse> kRefuse[] = {{"answer", Refuse::kAnswer}, {"drop", Refuse::kDrop}};

void read_socket_path(TomlTable& table, std::string_view key, std::string& path) {
  constexpr size_t kLongest = 107;  // sockaddr_un::sun_path with its terminator
  const auto text = table.string(key);
  if (!text) {
    return;
  }
  if (text->empty() || text->front() != '/' || text->size() > kLongest || !is_printable(*text)) {
    table.error(key, fmt::format("{} {} is not the path of a socket: write an absolute path "
                                 "of at most {} characters without blanks",
                                 key, quote(*text), kLongest));
    return;
  }
  path = *text;
}

void read_script_user(TomlTable& table, std::string& user) {
  const auto name = table.string("script_user");
  if (!name) {
    return;
  }
  if (is_account_name(*name) && find_account(*name)) {
    user = *name;
    return;
  }
  table.error("script_user", fmt::format("script_user {} is not a user of this machine: write the "
                                         "name of one, such as \"nobody\"",
                                         quote(*name)));
}

constexpr std::string_view kRouteForm = R"("10.1.0.0/16", "2001:db8:1::/48" or "default")";

void read_route(TomlTable table, InterfaceSettings& interface, InterfacePositions& positions) {
  const bool complete = table.require("to") && table.require("via");
  const auto to = table.string("to");
  const auto via = table.string("via");
  const auto metric = table.integer<uint32_t>("metric", 0, UINT32_MAX);
  table.finish();
  if (!complete || !to || !via) {
    return;
  }
  const auto gateway = parse_address(*via);
  if (!gateway) {
    table.error("via", "via " + gateway.error());
    return;
  }
  const bool any = *to == "default";
  const auto prefix = any ? Prefix::containing(*gateway, 0) : parse_prefix(*to, kRouteForm);
  if (!prefix) {
    table.error("to", "to " + prefix.error());
    return;
  }
  if (prefix->address.family() != gateway->family()) {
    table.error("via", fmt::format("via {} is not of the same family as {}", quote(*via),
                                   prefix->to_string()));
    return;
  }
  if (gateway->is_unspecified() || gateway->is_multicast() || gateway->is_broadcast() ||
      gateway->is_loopback()) {
    table.error("via", fmt::format("via {} is not the address of a router", quote(*via)));
    return;
  }
  interface.routes.push_back({*prefix, *gateway, metric.value_or(0)});
  positions.routes.push_back(table.where());
}

}  // namespace

void read_daemon(TomlTable table, DaemonSettings& daemon) {
  read_socket_path(table, "dataplane_socket", daemon.dataplane_socket);
  read_socket_path(table, "control_socket", daemon.control_socket);
  if (const auto group = table.string("control_socket_group")) {
    if (is_account_name(*group)) {
      daemon.control_socket_group = *group;
    } else {
      table.error("control_socket_group",
                  fmt::format("control_socket_group {} is not the name of a group: 1 to 32 "
                              "letters, digits, \".\", \"_\" and \"-\"",
                              quote(*group)));
    }
  }
  read_script_user(table, daemon.script_user);
  daemon.log_level = table.word("log_level", kLogLevels).value_or(daemon.log_level);
  daemon.on_no_service = table.word("on_no_service", kRefuse).value_or(daemon.on_no_service);
  table.finish();
  if (daemon.dataplane_socket == daemon.control_socket) {
    table.error("control_socket",
                "control_socket is the same as dataplane_socket: each daemon "
                "listens on a socket of its own");
  }
}

void read_interface(TomlTable table, LocatedConfiguration& into) {
  InterfaceSettings interface;
  InterfacePositions positions{.where = table.where("name"), .addresses = {}, .routes = {}};
  bool named = table.require("name");
  if (const auto name = table.string("name")) {
    interface.name = *name;
    named = is_interface_name(*name);
    if (named) {
      table.set_context(fmt::format("interface \"{}\"", *name));
    } else {
      table.error("name", fmt::format("name {} is not the name of an interface: {}", quote(*name),
                                      kInterfaceNameRule));
    }
  }
  if (const auto addresses = table.strings("addresses")) {
    for (const TomlString& text : *addresses) {
      if (const auto address = parse_interface_address(text.value)) {
        interface.addresses.push_back(*address);
        positions.addresses.push_back(text.where);
      } else {
        table.error_at(text.where, address.error());
      }
    }
  }
  for (const TomlTable& route : table.tables("routes")) {
    read_route(route, interface, positions);
  }
  table.finish();
  if (named) {
    into.configuration.interfaces.push_back(std::move(interface));
    into.interfaces.push_back(std::move(positions));
  }
}

void read_vip(TomlTable table, LocatedConfiguration& into) {
  const bool complete = table.require("address");
  const auto text = table.string("address");
  const bool ping = table.boolean("ping").value_or(true);
  table.finish();
  if (!complete || !text) {
    return;
  }
  if (const auto address = parse_address(*text)) {
    into.configuration.vips.push_back({*address, ping});
    into.vips.push_back(table.where("address"));
  } else {
    table.error("address", "address " + address.error());
  }
}

LocatedConfiguration read_configuration(TomlTable root, const Capabilities& capabilities) {
  LocatedConfiguration result;
  if (const auto daemon = root.table("daemon")) {
    read_daemon(*daemon, result.configuration.daemon);
  }
  for (const TomlTable& table : root.tables("interface")) {
    read_interface(table, result);
  }
  if (const auto nat = root.table("nat")) {
    read_nat(*nat, result);
  }
  for (const TomlTable& table : root.tables("vip")) {
    read_vip(table, result);
  }
  for (const TomlTable& table : root.tables("service")) {
    read_service(table, capabilities, result);
  }
  for (const TomlTable& table : root.tables("vrrp")) {
    read_vrrp(table, result);
  }
  root.finish();
  return result;
}

}  // namespace ballast::control
