#include "control/config/validate.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "control/config/unusable_address.h"
#include "control/config/validate_vrrp.h"

namespace ballast::control {
namespace {

// First use of a key: which line, and whose it is.
struct FirstUse {
  TomlPosition where;
  std::string owner;
};

class Validator {
 public:
  Validator(LocatedConfiguration& located, TomlReport& report)
      : located_(located), configuration_(located.configuration), report_(report) {}

  void run() {
    check_bounds();
    check_interfaces();
    check_vips();
    for (size_t i = 0; i < configuration_.services.size(); ++i) {
      check_name(i);
      check_listeners(i);
      check_servers(i);
      check_families(i);
      check_weights(i);
    }
    note_vrrp_addresses();
    check_addresses();
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
    const auto [first, fresh] = own_.emplace(address.address, FirstUse{where, context});
    if (!fresh) {
      report_.error(where, fmt::format("{}: address {} is used already, by {} in line {}", context,
                                       address.address.to_string(), first->second.owner,
                                       first->second.where.line));
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
      const auto [first, fresh] = vips_.emplace(address, FirstUse{where, context});
      if (!fresh) {
        report_.error(where, fmt::format("{}: the address is used already, in line {}", context,
                                         first->second.where.line));
      }
      if (const auto why = unusable(address); !why.empty()) {
        report_.error(where, fmt::format("{}: a VIP cannot be {}", context, why));
      }
      if (!used.contains(address)) {
        report_.warning(where, fmt::format("{}: no service listens on it", context));
      }
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
          listener, FirstUse{where, fmt::format("service \"{}\"", service.name)});
      if (!fresh) {
        report_.error(where, fmt::format("{}: is used already, by {} in line {}", context,
                                         first->second.owner, first->second.where.line));
      }
      vips_.emplace(listener.address, FirstUse{where, context});
    }
  }

  void check_servers(size_t i) {
    ServiceSettings& service = configuration_.services[i];
    const ServicePositions& positions = located_.services[i];
    const Ports ipv4 = ports_of(service, Family::kIpv4);
    const Ports ipv6 = ports_of(service, Family::kIpv6);
    std::map<ServerKey, TomlPosition> keys;
    for (size_t j = 0; j < service.servers.size(); ++j) {
      ServerSettings& server = service.servers[j];
      const TomlPosition where = positions.servers[j];
      const std::string context =
          fmt::format("service \"{}\": server {}", service.name, server.key.to_string());
      if (const auto why = unusable(server.key.address); !why.empty()) {
        report_.error(where, fmt::format("{}: a server's address cannot be {}", context, why));
      }
      if (service.mode == Mode::kDirectRouting) {
        check_port_stays(server.key.address.is_v4() ? ipv4 : ipv6, server.key, where, context);
        server.key.port = 0;
      }
      const auto [first, fresh] = keys.emplace(server.key, where);
      if (!fresh) {
        report_.error(where,
                      fmt::format("{}: is there already, in line {}", context, first->second.line));
      }
      servers_.emplace(server.key.address, FirstUse{where, context});
    }
  }

  // A listener of each family, and one on another port, if there is one. Either is null.
  struct Ports {
    const Listener* one = nullptr;
    const Listener* other = nullptr;
  };

  static Ports ports_of(const ServiceSettings& service, Family family) {
    Ports ports;
    for (const Listener& listener : service.listeners) {
      if (listener.address.family() != family) {
        continue;
      }
      if (ports.one == nullptr) {
        ports.one = &listener;
      } else if (listener.port != ports.one->port) {
        ports.other = &listener;
      }
    }
    return ports;
  }

  // A packet that is only given another MAC keeps its port.
  void check_port_stays(const Ports& ports, const ServerKey& key, TomlPosition where,
                        const std::string& context) {
    for (const Listener* listener : {ports.one, ports.other}) {
      if (key.port != 0 && listener != nullptr && listener->port != key.port) {
        report_.error(where, fmt::format("{}: mode dr cannot change the port, and the service "
                                         "listens on {}: leave the port out",
                                         context, listener->to_string()));
        return;
      }
    }
  }

  void check_families(size_t i) {
    const ServiceSettings& service = configuration_.services[i];
    const ServicePositions& positions = located_.services[i];
    if (!positions.complete) {
      return;
    }
    if (service.servers.empty()) {
      report_.warning(positions.where,
                      fmt::format("service \"{}\": it has no servers", service.name));
      return;
    }
    std::set<Family> of_servers;
    std::set<Family> of_listeners;
    for (const ServerSettings& server : service.servers) {
      of_servers.insert(server.key.address.family());
    }
    for (const Listener& listener : service.listeners) {
      of_listeners.insert(listener.address.family());
    }
    const auto name = [](Family family) { return family == Family::kIpv4 ? "IPv4" : "IPv6"; };
    for (size_t j = 0; j < service.listeners.size(); ++j) {
      const Listener& listener = service.listeners[j];
      if (!of_servers.contains(listener.address.family())) {
        report_.error(
            positions.listeners[j],
            fmt::format("service \"{}\": listen {}: would never have a server: none of "
                        "the service's servers is {}",
                        service.name, listener.to_string(), name(listener.address.family())));
      }
    }
    for (size_t j = 0; j < service.servers.size(); ++j) {
      const ServerKey& key = service.servers[j].key;
      if (!of_listeners.contains(key.address.family())) {
        report_.error(positions.servers[j],
                      fmt::format("service \"{}\": server {}: would never have a connection: the "
                                  "service does not listen on {}",
                                  service.name, key.to_string(), name(key.address.family())));
      }
    }
  }

  void check_weights(size_t i) {
    const ServiceSettings& service = configuration_.services[i];
    for (const Family family : {Family::kIpv4, Family::kIpv6}) {
      std::set<uint16_t> weights;
      for (const ServerSettings& server : service.servers) {
        if (server.key.address.family() == family) {
          weights.insert(server.weight);
        }
      }
      if (weights == std::set<uint16_t>{0}) {
        report_.warning(located_.services[i].where,
                        fmt::format("service \"{}\": every {} server has weight 0: none takes new "
                                    "connections",
                                    service.name, family == Family::kIpv4 ? "IPv4" : "IPv6"));
      }
      weights.erase(0);
      if (service.scheduler == "rr" && weights.size() > 1) {
        report_.warning(located_.services[i].scheduler,
                        fmt::format("service \"{}\": scheduler rr takes no account of the "
                                    "servers' different weights: use wrr",
                                    service.name));
      }
    }
  }

  // They are VIPs, whether a service listens on them or not.
  void note_vrrp_addresses() {
    for (size_t i = 0; i < configuration_.vrrp.size(); ++i) {
      const VrrpSettings& instance = configuration_.vrrp[i];
      for (size_t j = 0; j < instance.addresses.size(); ++j) {
        vips_.emplace(instance.addresses[j],
                      FirstUse{located_.vrrp[i].addresses[j],
                               fmt::format("vrrp \"{}\": address {}", instance.name,
                                           instance.addresses[j].to_string())});
      }
    }
  }

  // No address has two meanings: VIP, server, the node's own.
  void check_addresses() {
    for (const auto& [address, vip] : vips_) {
      if (const auto own = own_.find(address); own != own_.end()) {
        report_.error(vip.where, fmt::format("{}: {} is the node's own address, of {} in line {}: "
                                             "VIPs never live in the kernel",
                                             vip.owner, address.to_string(), own->second.owner,
                                             own->second.where.line));
      }
      if (const auto server = servers_.find(address); server != servers_.end()) {
        report_.error(
            vip.where,
            fmt::format("{}: {} is the address of a server as well, of {} in line {}", vip.owner,
                        address.to_string(), server->second.owner, server->second.where.line));
      }
    }
    for (const auto& [address, server] : servers_) {
      if (const auto own = own_.find(address); own != own_.end()) {
        report_.error(server.where,
                      fmt::format("{}: is the node's own address, of {} in line {}: a server is "
                                  "another machine",
                                  server.owner, own->second.owner, own->second.where.line));
      }
    }
  }

  LocatedConfiguration& located_;
  Configuration& configuration_;
  TomlReport& report_;
  std::map<std::string_view, TomlPosition> names_;
  std::map<Listener, FirstUse> listeners_;
  std::map<IpAddress, FirstUse> vips_;     // explicit and implied
  std::map<IpAddress, FirstUse> servers_;  // of all services; the first that has the address
  std::map<IpAddress, FirstUse> own_;
};

}  // namespace

void validate(LocatedConfiguration& located, TomlReport& report) {
  Validator(located, report).run();
}

}  // namespace ballast::control
