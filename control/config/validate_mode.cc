#include "control/config/validate_mode.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "control/config/unusable_address.h"

namespace ballast::control {
namespace {

constexpr int kMostSourceBits = 16;  // of a tunnel_source, beyond its prefix

std::string_view name_of(Family family) {
  return family == Family::kIpv4 ? "IPv4" : "IPv6";
}

class ModeValidator {
 public:
  ModeValidator(const ServiceSettings& service, const ServicePositions& positions,
                TomlReport& report)
      : service_(service), positions_(positions), report_(report) {
    for (const Listener& listener : service.listeners) {
      listening_[listener.address.family()].emplace(listener.port, &listener);
      protocols_.insert(listener.protocol);
    }
  }

  void check_ports() {
    for (size_t i = 0; i < service_.servers.size(); ++i) {
      if (const ServerKey& key = service_.servers[i].key; key.port == 0) {
        without_port_.emplace(key.address, positions_.servers[i]);
      }
    }
    for (size_t i = 0; i < service_.servers.size(); ++i) {
      const ServerKey& key = service_.servers[i].key;
      if (key.port == 0) {
        continue;
      }
      if (keeps_ports(service_.mode)) {
        check_port_stays(key, positions_.servers[i]);
      } else {
        check_port_is_named_once(key, positions_.servers[i]);
      }
    }
  }

  void run(const AddressRoles& roles) {
    if (positions_.complete) {
      check_families();
      check_local_families();
    }
    check_tunnel_sources(roles);
    check_packets();
  }

 private:
  void error(TomlPosition where, const std::string& message) {
    report_.error(where, fmt::format("service \"{}\": {}", service_.name, message));
  }
  void warning(TomlPosition where, const std::string& message) {
    report_.warning(where, fmt::format("service \"{}\": {}", service_.name, message));
  }

  void check_port_stays(const ServerKey& key, TomlPosition where) {
    for (const auto& [family, ports] : listening_) {
      const bool may_meet = service_.mode == Mode::kTunnel || family == key.address.family();
      const auto other = std::ranges::find_if(
          ports, [&key](const auto& listener) { return listener.first != key.port; });
      if (may_meet && other != ports.end()) {
        error(where,
              fmt::format("server {}: mode {} cannot change the port, and the service "
                          "listens on {}: leave the port out",
                          key.to_string(), name_of(service_.mode), other->second->to_string()));
        return;
      }
    }
  }

  // A server without a port has that of the listener, which may be the one that is written here.
  void check_port_is_named_once(const ServerKey& key, TomlPosition where) {
    const auto without = without_port_.find(key.address);
    const auto ports = listening_.find(key.address.family());
    if (without != without_port_.end() && ports != listening_.end() &&
        ports->second.contains(key.port)) {
      error(where,
            fmt::format("server {}: is there already, in line {}, without the port, which is "
                        "that of the listener: give both a port",
                        key.to_string(), without->second.line));
    }
  }

  void check_families() {
    if (service_.servers.empty()) {
      warning(positions_.where, "it has no servers");
      return;
    }
    if (service_.mode == Mode::kTunnel) {
      return;  // any family goes through a tunnel of any
    }
    std::set<Family> of_servers;
    for (const ServerSettings& server : service_.servers) {
      of_servers.insert(server.key.address.family());
    }
    for (size_t i = 0; i < service_.listeners.size(); ++i) {
      const Listener& listener = service_.listeners[i];
      if (!of_servers.contains(listener.address.family())) {
        error(positions_.listeners[i],
              fmt::format("listen {}: would never have a server: none of the service's servers is "
                          "{}",
                          listener.to_string(), name_of(listener.address.family())));
      }
    }
    for (size_t i = 0; i < service_.servers.size(); ++i) {
      const ServerKey& key = service_.servers[i].key;
      if (!listening_.contains(key.address.family())) {
        error(positions_.servers[i],
              fmt::format("server {}: would never have a connection: the service does not listen "
                          "on {}",
                          key.to_string(), name_of(key.address.family())));
      }
    }
  }

  // In mode fullnat each family that is listened on needs local addresses, and no other.
  void check_local_families() {
    if (service_.mode != Mode::kFullNat) {
      return;
    }
    std::map<Family, TomlPosition> local;
    for (size_t i = 0; i < service_.local_addresses.size(); ++i) {
      local.emplace(service_.local_addresses[i].family(), positions_.local_addresses[i]);
    }
    for (const auto& [family, ports] : listening_) {
      if (!local.contains(family)) {
        error(positions_.mode,
              fmt::format("mode fullnat needs {0} addresses of its own for {0} listeners: write "
                          "local_addresses = [\"{1}\"]",
                          name_of(family),
                          family == Family::kIpv4 ? "10.0.0.200-10.0.0.207" : "2001:db8::200/125"));
      }
    }
    for (const auto& [family, where] : local) {
      if (!listening_.contains(family)) {
        error(where, fmt::format("local_addresses: those of {0} would never be used: the service "
                                 "does not listen on {0}",
                                 name_of(family)));
      }
    }
  }

  void check_tunnel_sources(const AddressRoles& roles) {
    std::map<Family, TomlPosition> families;
    for (size_t i = 0; i < positions_.tunnel_sources.size(); ++i) {
      const Prefix& source = service_.tunnel.sources[i];
      const TomlPosition where = positions_.tunnel_sources[i];
      const auto [first, fresh] = families.emplace(source.address.family(), where);
      if (!fresh) {
        error(where, fmt::format("tunnel_source {}: there is one of {} already, in line {}: write "
                                 "one prefix of each family",
                                 source.to_string(), name_of(source.address.family()),
                                 first->second.line));
      }
      const int shortest = (source.address.is_v4() ? 32 : 128) - kMostSourceBits;
      if (source.length < shortest) {
        error(where, fmt::format("tunnel_source {}: has more than {} addresses: write a prefix of "
                                 "length {} or more",
                                 source.to_string(), 1 << kMostSourceBits, shortest));
      }
      if (const auto why = unusable(source.address); !why.empty()) {
        error(where, fmt::format("tunnel_source {}: an outer source address cannot be {}",
                                 source.to_string(), why));
      }
      // A server drops a packet that comes from one of its own addresses.
      for (const AddressRole role : {AddressRole::kVip, AddressRole::kServer}) {
        const auto& uses = roles.all(role);
        const auto inside = uses.lower_bound(source.address);
        if (inside != uses.end() && source.contains(inside->first)) {
          error(where, fmt::format("tunnel_source {}: has {}, which {} in line {} has: servers "
                                   "drop what comes from an address of their own",
                                   source.to_string(), inside->first.to_string(),
                                   inside->second.owner, inside->second.where.line));
        }
      }
    }
  }

  void check_packets() {
    if (service_.one_packet && service_.mode == Mode::kFullNat) {
      error(positions_.one_packet,
            "one_packet and mode \"fullnat\" exclude each other: replies could not be told apart: "
            "remove it, or change the mode");
    }
    if (service_.one_packet && !protocols_.contains(IpProtocol::kUdp) && positions_.complete) {
      warning(positions_.one_packet, "one_packet has no effect: it is for UDP, and no listener is");
    }
    if ((service_.mss != 0 || service_.mss_auto) && !protocols_.contains(IpProtocol::kTcp) &&
        positions_.complete) {
      warning(positions_.mss, "mss has no effect: it is for TCP, and no listener is");
    }
  }

  const ServiceSettings& service_;
  const ServicePositions& positions_;
  TomlReport& report_;
  std::map<Family, std::map<uint16_t, const Listener*>> listening_;  // by port
  std::map<IpAddress, TomlPosition> without_port_;                   // servers
  std::set<IpProtocol> protocols_;
};

}  // namespace

void check_server_ports(const ServiceSettings& service, const ServicePositions& positions,
                        TomlReport& report) {
  ModeValidator(service, positions, report).check_ports();
}

void validate_mode(const ServiceSettings& service, const ServicePositions& positions,
                   const AddressRoles& roles, TomlReport& report) {
  ModeValidator(service, positions, report).run(roles);
}

}  // namespace ballast::control
