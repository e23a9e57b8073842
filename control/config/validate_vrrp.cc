#include "control/config/validate_vrrp.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "control/config/account.h"
#include "control/config/unusable_address.h"
#include "control/config/validate_vrrp_group.h"
#include "toml_reader/duration.h"

namespace ballast::control {
namespace {

constexpr Family kFamilies[] = {Family::kIpv4, Family::kIpv6};

std::string_view name_of(Family family) {
  return family == Family::kIpv4 ? "IPv4" : "IPv6";
}

class VrrpValidator {
 public:
  VrrpValidator(const LocatedConfiguration& located, TomlReport& report)
      : located_(located), report_(report) {}

  void run() {
    for (size_t i = 0; i < located_.configuration.vrrp.size(); ++i) {
      instance_ = &located_.configuration.vrrp[i];
      at_ = &located_.vrrp[i];
      check_name();
      check_router_ids();
      check_addresses();
      if (at_->complete) {
        check_families();
        check_peers();
      }
      check_combinations();
    }
    check_total();
    check_script_user();
    validate_vrrp_groups(located_, report_);
    check_held_addresses();
  }

 private:
  using Use = std::pair<std::string, TomlPosition>;  // an instance's name, and where

  void error(TomlPosition where, const std::string& message) {
    report_.error(where, fmt::format("vrrp \"{}\": {}", instance_->name, message));
  }
  void warning(TomlPosition where, const std::string& message) {
    report_.warning(where, fmt::format("vrrp \"{}\": {}", instance_->name, message));
  }

  void check_name() {
    const auto [first, fresh] = names_.emplace(instance_->name, at_->where);
    if (!fresh) {
      error(at_->where, fmt::format("the name is used already, in line {}", first->second.line));
    }
  }

  // RFC 9568 section 5.2.3: an id is unique on a network, for each family by itself.
  void check_router_ids() {
    for (const Family family : kFamilies) {
      if (!instance_->has(family)) {
        continue;
      }
      const auto [first, fresh] =
          ids_.emplace(std::tuple(instance_->interface, family, instance_->virtual_router_id),
                       Use{instance_->name, at_->virtual_router_id});
      if (!fresh) {
        error(at_->virtual_router_id,
              fmt::format("virtual_router_id {} is used already on interface \"{}\" for {}, by "
                          "vrrp \"{}\" in line {}: give it another one",
                          instance_->virtual_router_id, instance_->interface, name_of(family),
                          first->second.first, first->second.second.line));
      }
      ++routers_;
    }
  }

  void check_addresses() {
    if (instance_->addresses.empty() && at_->complete) {
      error(at_->all_addresses, "addresses is empty: name at least one, such as \"192.0.2.10\"");
    }
    for (size_t i = 0; i < instance_->addresses.size(); ++i) {
      const IpAddress& address = instance_->addresses[i];
      const TomlPosition where = at_->addresses[i];
      if (const auto why = unusable(address); !why.empty()) {
        error(where, fmt::format("address {}: a VIP cannot be {}", address.to_string(), why));
      }
      const auto [first, fresh] = addresses_.emplace(address, Use{instance_->name, where});
      if (!fresh) {
        error(where,
              fmt::format("address {} is there already, in vrrp \"{}\" in line {}: an "
                          "address moves with one instance only",
                          address.to_string(), first->second.first, first->second.second.line));
      }
    }
  }

  void check_families() {
    const std::vector<IpAddress> ipv6 = instance_->addresses_of(Family::kIpv6);
    const std::vector<IpAddress> ipv4 = instance_->addresses_of(Family::kIpv4);
    if (instance_->version == vrrp::Version::kV2 && !ipv6.empty()) {
      error(at_->version,
            "version 2 is for IPv4 only: write version = 3, or put the IPv6 "
            "addresses into an instance of their own");
      return;
    }
    if (ipv4.size() > vrrp::kMaximumAddresses || ipv6.size() > kMostIpv6Addresses) {
      error(at_->all_addresses,
            fmt::format("{} IPv4 and {} IPv6 addresses do not fit into an advert: at most {} and "
                        "{}: make two instances of one group of them",
                        ipv4.size(), ipv6.size(), vrrp::kMaximumAddresses, kMostIpv6Addresses));
    }
    if (!ipv6.empty() && !ipv6.front().is_link_local()) {
      size_t first = 0;
      while (instance_->addresses[first] != ipv6.front()) {
        ++first;
      }
      error(at_->addresses[first],
            fmt::format("address {}: the first IPv6 address must be the virtual router's own "
                        "link-local one, the same on all nodes (RFC 9568 section 5.2.9): write "
                        "\"{}\" before it",
                        ipv6.front().to_string(),
                        link_local_of_virtual_mac(instance_->virtual_router_id).to_string()));
    }
  }

  void check_peers() {
    if (instance_->unicast_peers.empty()) {
      if (at_->minimum_ttl_given) {
        warning(at_->minimum_ttl,
                "minimum_ttl has no effect without unicast_peers: adverts by "
                "multicast always have 255");
      }
      return;
    }
    std::map<Family, size_t> counts;
    std::set<IpAddress> seen;
    for (size_t i = 0; i < instance_->unicast_peers.size(); ++i) {
      const IpAddress& peer = instance_->unicast_peers[i];
      ++counts[peer.family()];
      check_peer(peer, at_->unicast_peers[i]);
      if (!seen.insert(peer).second) {
        error(at_->unicast_peers[i],
              fmt::format("unicast peer {} is there already", peer.to_string()));
      }
    }
    for (const Family family : kFamilies) {
      if (instance_->has(family) && counts[family] == 0) {
        error(at_->all_peers, fmt::format("unicast_peers has no {0} address, and the instance has "
                                          "{0} addresses: name the peers by one of each family",
                                          name_of(family)));
      }
      if (counts[family] > vrrp::kMaximumUnicastPeers) {
        error(at_->all_peers, fmt::format("{} unicast peers are too many: at most {} of a family",
                                          counts[family], vrrp::kMaximumUnicastPeers));
      }
    }
  }

  void check_peer(const IpAddress& peer, TomlPosition where) {
    if (const auto why = unusable(peer); !why.empty()) {
      error(where, fmt::format("unicast peer {} is {}: write the other node's own address",
                               peer.to_string(), why));
    } else if (!instance_->has(peer.family())) {
      error(where, fmt::format("unicast peer {}: the instance has no {} addresses, so nothing is "
                               "sent to it",
                               peer.to_string(), name_of(peer.family())));
    } else if (std::find(instance_->addresses.begin(), instance_->addresses.end(), peer) !=
               instance_->addresses.end()) {
      error(where,
            fmt::format("unicast peer {} is one of the instance's addresses: write the other "
                        "node's own address",
                        peer.to_string()));
    }
    for (const InterfaceSettings& interface : located_.configuration.interfaces) {
      for (const InterfaceAddress& own : interface.addresses) {
        if (own.address == peer) {
          error(where, fmt::format("unicast peer {} is this node's own address, of interface "
                                   "\"{}\": write the other node's",
                                   peer.to_string(), interface.name));
        }
      }
    }
  }

  void check_combinations() {
    const bool owner = vrrp::Priority{instance_->priority} == vrrp::kAddressOwner;
    if (owner && !instance_->preempt) {
      error(at_->priority,
            "priority 255 is that of the addresses' owner, which always takes them "
            "back (RFC 9568 section 6.1): write preempt = true, or a priority of "
            "1-254");
    }
    if (instance_->preempt_delay.count() != 0 && (!instance_->preempt || owner)) {
      error(at_->preempt_delay,
            owner ? "preempt_delay and priority 255 exclude each other: the owner takes the "
                    "addresses at once: remove it, or write a priority of 1-254"
                  : "preempt_delay has no effect with preempt = false: write preempt = true, or "
                    "remove it");
    }
    const bool by_v3_and_ipv4 =
        instance_->version == vrrp::Version::kV3 && instance_->has(Family::kIpv4);
    if (at_->checksum_given && at_->complete && !by_v3_and_ipv4) {
      warning(at_->checksum,
              "checksum has no effect: there are two forms in version 3 over IPv4 only");
    }
  }

  void check_total() {
    if (routers_ > kMostVirtualRouters) {
      report_.error({}, fmt::format("{} virtual routers are too many: at most {}; an instance with "
                                    "both families is two",
                                    routers_, kMostVirtualRouters));
    }
  }

  // A script_user that the file names was looked up when it was read; the default only counts where
  // a program is run.
  void check_script_user() {
    const std::string& user = located_.configuration.daemon.script_user;
    for (size_t i = 0; i < located_.configuration.vrrp.size(); ++i) {
      instance_ = &located_.configuration.vrrp[i];
      const bool runs_programs =
          !instance_->notify.empty() ||
          std::any_of(instance_->tracks.begin(), instance_->tracks.end(),
                      [](const auto& track) { return track.kind == VrrpTrack::Kind::kScript; });
      if (!runs_programs) {
        continue;
      }
      if (!find_account(user)) {
        error(located_.vrrp[i].where,
              fmt::format("its programs would run as \"{}\", which is not a user of this machine: "
                          "name one in [daemon] as script_user",
                          user));
      }
      return;  // once is enough
    }
  }

  // Where some addresses move, one that does not is most likely forgotten: both nodes answer for
  // it.
  void check_held_addresses() {
    const Configuration& configuration = located_.configuration;
    if (configuration.vrrp.empty()) {
      return;
    }
    for (size_t i = 0; i < configuration.nat.gateways.size(); ++i) {
      const IpAddress& address = configuration.nat.gateways[i];
      check_moves(address, located_.nat.gateways[i],
                  fmt::format("nat: gateway {}", address.to_string()));
    }
    for (size_t i = 0; i < configuration.services.size(); ++i) {
      const ServiceSettings& service = configuration.services[i];
      for (size_t j = 0; j < service.listeners.size(); ++j) {
        const Listener& listener = service.listeners[j];
        check_moves(listener.address, located_.services[i].listeners[j],
                    fmt::format("service \"{}\": listen {}", service.name, listener.to_string()));
      }
      for (size_t j = 0; j < service.local_addresses.size(); ++j) {
        check_moves(service.local_addresses[j], located_.services[i].local_addresses[j],
                    fmt::format("service \"{}\": local_addresses", service.name));
      }
      check_way_back(service, located_.services[i].mode);
    }
    for (const auto& [address, use] : addresses_) {
      if (!used_.contains(address) && !address.is_link_local()) {
        report_.warning(use.second, fmt::format("vrrp \"{}\": address {}: no service listens on it",
                                                use.first, address.to_string()));
      }
    }
  }

  // The addresses of one range, which stand at one place, are one warning.
  void check_moves(const IpAddress& address, TomlPosition where, const std::string& context) {
    if (used_.insert(address).second && !addresses_.contains(address) && warned_ != where) {
      warned_ = where;
      report_.warning(where, fmt::format("{}: no [[vrrp]] has {}: this node always answers for it, "
                                         "and so does every other one with this configuration",
                                         context, address.to_string()));
    }
  }

  // The node's own addresses do not move: servers that route through them lose their way back.
  void check_way_back(const ServiceSettings& service, TomlPosition where) {
    if (service.mode != Mode::kNat) {
      return;
    }
    for (const Family family : kFamilies) {
      const auto is_of_family = [family](const IpAddress& address) {
        return address.family() == family;
      };
      const bool has_servers = std::ranges::any_of(
          service.servers,
          [&](const ServerSettings& server) { return is_of_family(server.key.address); });
      if (has_servers && std::ranges::none_of(located_.configuration.nat.gateways, is_of_family)) {
        report_.warning(where,
                        fmt::format("service \"{}\": [nat] has no {} gateway: servers in mode nat "
                                    "need one that moves to the other node as the VIPs do",
                                    service.name, name_of(family)));
      }
    }
  }

  const LocatedConfiguration& located_;
  TomlReport& report_;
  const VrrpSettings* instance_ = nullptr;
  const VrrpPositions* at_ = nullptr;
  size_t routers_ = 0;
  std::map<std::string, TomlPosition> names_;
  std::map<std::tuple<std::string, Family, uint8_t>, Use> ids_;
  std::map<IpAddress, Use> addresses_;
  std::set<IpAddress> used_;  // VIPs that are listened on, gateways, local addresses
  std::optional<TomlPosition> warned_;
};

}  // namespace

void validate_vrrp(const LocatedConfiguration& located, TomlReport& report) {
  VrrpValidator(located, report).run();
}

void validate_vrrp_ports(const LocatedConfiguration& located, const std::vector<std::string>& ports,
                         TomlReport& report) {
  const auto check = [&](const VrrpSettings& instance, TomlPosition where, std::string_view what,
                         const std::string& name) {
    if (!ports.empty() && std::find(ports.begin(), ports.end(), name) == ports.end()) {
      report.error(where, fmt::format("vrrp \"{}\": {} \"{}\" is not a port of the dataplane ({})",
                                      instance.name, what, name, fmt::join(ports, ", ")));
    }
  };
  for (size_t i = 0; i < located.configuration.vrrp.size(); ++i) {
    const VrrpSettings& instance = located.configuration.vrrp[i];
    const VrrpPositions& at = located.vrrp[i];
    check(instance, at.interface, "interface", instance.interface);
    for (size_t j = 0; j < instance.tracks.size(); ++j) {
      if (instance.tracks[j].kind == VrrpTrack::Kind::kPort) {
        check(instance, at.tracks[j], "track: port", instance.tracks[j].subject);
      }
    }
  }
}

}  // namespace ballast::control
