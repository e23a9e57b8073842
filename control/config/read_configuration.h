// Reads the tables of ballast.toml, each value by itself; what concerns several values is
// validate.h's.
//
// What is wrong goes into the report and is left out of the result, with `complete` saying so, so
// that one mistake does not cause a second message.
#pragma once

#include <cstddef>
#include <vector>

#include "control/config/configuration.h"
#include "control/config/load.h"
#include "toml_reader/toml_table.h"

namespace ballast::control {

// Where the parts of a configuration stand; each vector runs parallel to the one of the same name
// in the values.
struct ServicePositions {
  TomlPosition where;
  TomlPosition mode;
  TomlPosition scheduler;
  std::vector<TomlPosition> listeners;
  std::vector<TomlPosition> servers;
  std::vector<TomlPosition>
      checks;  // of the servers; that of the server where it has none of its own
  std::vector<TomlPosition> local_addresses;  // those of one range have the same
  std::vector<TomlPosition> tunnel_sources;
  TomlPosition mss;
  TomlPosition one_packet;
  TomlPosition quorum;
  bool quorum_given = false;
  bool complete = true;  // false: some listener, server or local address was refused and left out
};

struct VrrpPositions {
  TomlPosition where;
  TomlPosition interface;
  TomlPosition virtual_router_id;
  TomlPosition version;
  TomlPosition priority;
  TomlPosition preempt;
  TomlPosition preempt_delay;
  TomlPosition start_delay;
  TomlPosition checksum;
  TomlPosition minimum_ttl;
  TomlPosition group;
  TomlPosition all_addresses;
  TomlPosition all_peers;
  std::vector<TomlPosition> addresses;
  std::vector<TomlPosition> unicast_peers;
  std::vector<TomlPosition> tracks;
  bool checksum_given = false;
  bool minimum_ttl_given = false;
  bool complete = true;  // false: some address or peer was refused and left out
};

struct InterfacePositions {
  TomlPosition where;
  std::vector<TomlPosition> addresses;
  std::vector<TomlPosition> routes;
};

struct NatPositions {
  std::vector<TomlPosition> gateways;
  std::vector<TomlPosition> routed_networks;
};

// A few characters of a file may stand for many addresses: these are all that there may be, those
// that are named several times counted as often.
inline constexpr size_t kMostMentions = 65536;

struct LocatedConfiguration {
  Configuration configuration;
  NatPositions nat;
  size_t local_addresses_left = kMostMentions;
  size_t vrrp_addresses_left = kMostMentions;
  std::vector<InterfacePositions> interfaces;
  std::vector<TomlPosition> vips;
  std::vector<ServicePositions> services;
  std::vector<VrrpPositions> vrrp;
};

LocatedConfiguration read_configuration(TomlTable root, const Capabilities& capabilities);

// Parts of the above.
void read_daemon(TomlTable table, DaemonSettings& daemon);
void read_interface(TomlTable table, LocatedConfiguration& into);
void read_vip(TomlTable table, LocatedConfiguration& into);
void read_nat(TomlTable table, LocatedConfiguration& into);
void read_service(TomlTable table, const Capabilities& capabilities, LocatedConfiguration& into);

}  // namespace ballast::control
