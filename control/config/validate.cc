#include "control/config/validate.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "control/config/address_roles.h"
#include "control/config/unusable_address.h"
#include "control/config/validate_mode.h"
#include "control/config/validate_vrrp.h"

namespace ballast::control {
namespace {

class Validator {
 public:
  Validator(LocatedConfiguration& located, TomlReport& report)
      : located_(located), configuration_(located.configuration), report_(report) {}

  void run() {
    check_bounds();
    check_interfaces();
    check_vips();
    check_nat();
    for (size_t i = 0; i < configuration_.services.size(); ++i) {
      check_name(i);
      check_listeners(i);
      check_servers(i);
      check_local_addresses(i);
      check_weights(i);
    }
    note_vrrp_addresses();
    for (size_t i = 0; i < configuration_.services.size(); ++i) {
      validate_mode(configuration_.services[i], located_.services[i], roles_, report_);
    }
    roles_.check(report_);
    validate_vrrp(located_, report_);
  }

 private:
  void check_bounds() {
    size_t listeners = 0;
    size_t servers = 0;
    for (const ServiceSettings& service : configuration_.services) {
      listeners += service.listeners.size();
      servers += service.servers.size();
    }
    if (listeners > kMostListeners) {
      report_.error(
          {}, fmt::format("{} listeners are too many: at most {}", listeners, kMostListeners));
    }
    if (servers > kMostServers) {
      report_.error({}, fmt::format("{} servers are too many: at most {}", servers, kMostServers));
    }
    std::set<IpAddress> local_addresses;
    for (const ServiceSettings& service : configuration_.services) {
      local_addresses.insert(service.local_addresses.begin(), service.local_addresses.end());
    }
    if (local_addresses.size() > kMostLocalAddresses) {
      report_.error({}, fmt::format("{} local addresses are too many: at most {}",
                                    local_addresses.size(), kMostLocalAddresses));
    }
  }

  void check_interfaces() {
    std::map<std::string_view, TomlPosition> names;
    for (size_t i = 0; i < configuration_.interfaces.size(); ++i) {
      const InterfaceSettings& interface = configuration_.interfaces[i];
      const InterfacePositions& positions = located_.interfaces[i];
      const std::string context = fmt::format("interface \"{}\"", interface.name);
      const auto [first, fresh] = names.emplace(interface.name, positions.where);
      if (!fresh) {
        report_.error(positions.where, fmt::format("{}: the name is used already, in line {}",
                                                   context, first->second.line));
      }
      for (size_t j = 0; j < interface.addresses.size(); ++j) {
        check_own_address(interface.addresses[j], positions.addresses[j], context);
      }
      check_routes(interface, positions, context);
    }
  }

  void check_own_address(const InterfaceAddress& address, TomlPosition where,
                         const std::string& context) {
    if (const auto why = unusable(address.address); !why.empty()) {
      report_.error(where, fmt::format("{}: address {} is {}: write the node's own address",
                                       context, address.to_string(), why));
    }
    if (!roles_.note(AddressRole::kOwn, address.address, where, context)) {
      const AddressRoles::Use& first = *roles_.find(AddressRole::kOwn, address.address);
      report_.error(where, fmt::format("{}: address {} is used already, by {} in line {}", context,
                                       address.address.to_string(), first.owner, first.where.line));
    }
  }

  void check_routes(const InterfaceSettings& interface, const InterfacePositions& positions,
                    const std::string& context) {
    std::map<std::pair<Prefix, uint32_t>, TomlPosition> routes;
    for (size_t i = 0; i < interface.routes.size(); ++i) {
      const RouteSettings& route = interface.routes[i];
      const auto [first, fresh] =
          routes.emplace(std::pair(route.to, route.metric), positions.routes[i]);
      if (!fresh) {
        report_.error(positions.routes[i],
                      fmt::format("{}: route to {} is there already, in line {}: give it another "
                                  "metric",
                                  context, route.to.to_string(), first->second.line));
      }
      bool known = route.via.is_link_local();
      bool any = false;
      for (const InterfaceAddress& own : interface.addresses) {
        any = any || own.address.family() == route.via.family();
        known = known ||
                (own.address.family() == route.via.family() && own.network().contains(route.via));
      }
      if (any && !known) {
        report_.warning(positions.routes[i],
                        fmt::format("{}: route to {}: the gateway {} is in no network of the "
                                    "interface's addresses",
                                    context, route.to.to_string(), route.via.to_string()));
      }
    }
  }

  void check_vips() {
    std::set<IpAddress> used;
    for (const ServiceSettings& service : configuration_.services) {
      for (const Listener& listener : service.listeners) {
        used.insert(listener.address);
      }
    }
    for (const VrrpSettings& instance : configuration_.vrrp) {
      used.insert(instance.addresses.begin(), instance.addresses.end());
    }
    for (size_t i = 0; i < configuration_.vips.size(); ++i) {
      const IpAddress& address = configuration_.vips[i].address;
      const TomlPosition where = located_.vips[i];
      const std::string context = fmt::format("vip {}", address.to_string());
      if (!roles_.note(AddressRole::kVip, address, where, context)) {
        report_.error(where, fmt::format("{}: the address is used already, in line {}", context,
                                         roles_.find(AddressRole::kVip, address)->where.line));
      }
      if (const auto why = unusable(address); !why.empty()) {
        report_.error(where, fmt::format("{}: a VIP cannot be {}", context, why));
      }
      if (!used.contains(address)) {
        report_.warning(where, fmt::format("{}: no service listens on it", context));
      }
    }
  }

  void check_nat() {
    const NatSettings& nat = configuration_.nat;
    for (size_t i = 0; i < nat.gateways.size(); ++i) {
      const IpAddress& address = nat.gateways[i];
      const TomlPosition where = located_.nat.gateways[i];
      const std::string context = fmt::format("nat: gateway {}", address.to_string());
      if (!roles_.note(AddressRole::kGateway, address, where, context)) {
        report_.error(where, fmt::format("{}: is there already, in line {}", context,
                                         roles_.find(AddressRole::kGateway, address)->where.line));
      }
      if (const auto why = unusable(address); !why.empty()) {
        report_.error(where, fmt::format("{}: a gateway cannot be {}", context, why));
      }
    }
    std::map<Prefix, TomlPosition> networks;
    for (size_t i = 0; i < nat.routed_networks.size(); ++i) {
      const TomlPosition where = located_.nat.routed_networks[i];
      const auto [first, fresh] = networks.emplace(nat.routed_networks[i], where);
      if (!fresh) {
        report_.error(where, fmt::format("nat: routed network {}: is there already, in line {}",
                                         nat.routed_networks[i].to_string(), first->second.line));
      }
    }
    if (networks.size() > kMostRoutedNetworks) {
      report_.error({}, fmt::format("{} routed networks are too many: at most {}", networks.size(),
                                    kMostRoutedNetworks));
    }
  }

  void check_name(size_t i) {
    const ServiceSettings& service = configuration_.services[i];
    if (service.name.empty()) {
      return;  // refused already
    }
    const TomlPosition where = located_.services[i].where;
    const auto [first, fresh] = names_.emplace(service.name, where);
    if (!fresh) {
      report_.error(where, fmt::format("service \"{}\": the name is used already, in line {}",
                                       service.name, first->second.line));
    }
  }

  void check_listeners(size_t i) {
    const ServiceSettings& service = configuration_.services[i];
    for (size_t j = 0; j < service.listeners.size(); ++j) {
      const Listener& listener = service.listeners[j];
      const TomlPosition where = located_.services[i].listeners[j];
      const std::string context =
          fmt::format("service \"{}\": listen {}", service.name, listener.to_string());
      if (const auto why = unusable(listener.address); !why.empty()) {
        report_.error(where, fmt::format("{}: a VIP cannot be {}", context, why));
      }
      const auto [first, fresh] = listeners_.emplace(
          listener, AddressRoles::Use{where, fmt::format("service \"{}\"", service.name)});
      if (!fresh) {
        report_.error(where, fmt::format("{}: is used already, by {} in line {}", context,
                                         first->second.owner, first->second.where.line));
      }
      roles_.note(AddressRole::kVip, listener.address, where, context);
    }
  }

  void check_servers(size_t i) {
    ServiceSettings& service = configuration_.services[i];
    const ServicePositions& positions = located_.services[i];
    check_server_ports(service, positions, report_);
    std::map<ServerKey, TomlPosition> keys;
    for (size_t j = 0; j < service.servers.size(); ++j) {
      ServerSettings& server = service.servers[j];
      const TomlPosition where = positions.servers[j];
      const std::string context =
          fmt::format("service \"{}\": server {}", service.name, server.key.to_string());
      if (const auto why = unusable(server.key.address); !why.empty()) {
        report_.error(where, fmt::format("{}: a server's address cannot be {}", context, why));
      }
      if (keeps_ports(service.mode)) {
        server.key.port = 0;
      }
      const auto [first, fresh] = keys.emplace(server.key, where);
      if (!fresh) {
        report_.error(where,
                      fmt::format("{}: is there already, in line {}", context, first->second.line));
      }
      roles_.note(AddressRole::kServer, server.key.address, where, context);
    }
  }

  // Several services may use the same ones.
  void check_local_addresses(size_t i) {
    const ServiceSettings& service = configuration_.services[i];
    const std::string context = fmt::format("service \"{}\": local_addresses", service.name);
    std::map<IpAddress, TomlPosition> seen;
    std::optional<TomlPosition> reported;  // the addresses of a range are one mistake
    for (size_t j = 0; j < service.local_addresses.size(); ++j) {
      const IpAddress& address = service.local_addresses[j];
      const TomlPosition where = located_.services[i].local_addresses[j];
      roles_.note(AddressRole::kLocal, address, where, context);
      const auto [first, fresh] = seen.emplace(address, where);
      const auto why = unusable(address);
      if ((fresh && why.empty()) || reported == where) {
        continue;
      }
      reported = where;
      report_.error(where, fresh ? fmt::format("{}: {}: a local address cannot be {}", context,
                                               address.to_string(), why)
                                 : fmt::format("{}: {} is there already, in line {}", context,
                                               address.to_string(), first->second.line));
    }
  }

  void check_weights(size_t i) {
    const ServiceSettings& service = configuration_.services[i];
    for (const Family family : {Family::kIpv4, Family::kIpv6}) {
      std::set<uint16_t> weights;
      for (const ServerSettings& server : service.servers) {
        if (service.mode == Mode::kTunnel || server.key.address.family() == family) {
          weights.insert(server.weight);
        }
      }
      if (weights == std::set<uint16_t>{0}) {
        report_.warning(located_.services[i].where,
                        fmt::format("service \"{}\": every {}server has weight 0: none takes new "
                                    "connections",
                                    service.name, pool_name(service.mode, family)));
      }
      weights.erase(0);
      if (service.scheduler == "rr" && weights.size() > 1) {
        report_.warning(located_.services[i].scheduler,
                        fmt::format("service \"{}\": scheduler rr takes no account of the "
                                    "servers' different weights: use wrr",
                                    service.name));
      }
      if (service.mode == Mode::kTunnel) {
        return;  // every connection may get every server
      }
    }
  }

  static std::string_view pool_name(Mode mode, Family family) {
    if (mode == Mode::kTunnel) {
      return "";
    }
    return family == Family::kIpv4 ? "IPv4 " : "IPv6 ";
  }

  // They are VIPs, whether a service listens on them or not, if they are nothing else.
  void note_vrrp_addresses() {
    for (size_t i = 0; i < configuration_.vrrp.size(); ++i) {
      const VrrpSettings& instance = configuration_.vrrp[i];
      for (size_t j = 0; j < instance.addresses.size(); ++j) {
        const IpAddress& address = instance.addresses[j];
        if (roles_.find(AddressRole::kGateway, address) == nullptr &&
            roles_.find(AddressRole::kLocal, address) == nullptr) {
          roles_.note(AddressRole::kVip, address, located_.vrrp[i].addresses[j],
                      fmt::format("vrrp \"{}\": address {}", instance.name, address.to_string()));
        }
      }
    }
  }

  LocatedConfiguration& located_;
  Configuration& configuration_;
  TomlReport& report_;
  std::map<std::string_view, TomlPosition> names_;
  std::map<Listener, AddressRoles::Use> listeners_;
  AddressRoles roles_;
};

}  // namespace

void validate(LocatedConfiguration& located, TomlReport& report) {
  Validator(located, report).run();
}

}  // namespace ballast::control
