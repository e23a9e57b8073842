// [[vrrp]] of ballast.toml.
#include "control/config/read_vrrp.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include <fmt/format.h>

#include "control/config/address_block.h"
#include "control/config/endpoint.h"
#include "control/config/names.h"
#include "toml_reader/duration.h"

namespace ballast::control {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TomlWord<vrrp::ChecksumForm> kChecksums[] = {{"rfc5798", vrrp::ChecksumForm::kRfc5798},
                                                       {"rfc9568", vrrp::ChecksumForm::kRfc9568}};

bool read_names(TomlTable& table, VrrpSettings& instance, VrrpPositions& positions) {
  positions.where = table.where("name");
  bool complete = table.require("name");
  if (const auto name = table.string("name")) {
    if (is_name(*name)) {
      instance.name = *name;
      table.set_context(fmt::format("vrrp \"{}\"", *name));
    } else {
      table.error("name", fmt::format("name {} is not a name: {}", quote(*name), kNameRule));
      complete = false;
    }
  }
  complete = table.require("interface") && complete;
  positions.interface = table.where("interface");
  if (const auto interface = table.string("interface")) {
    if (is_interface_name(*interface)) {
      instance.interface = *interface;
    } else {
      table.error("interface",
                  fmt::format("interface {} is not the name of a port's kernel twin: {}",
                              quote(*interface), kInterfaceNameRule));
      complete = false;
    }
  }
  if (const auto group = table.string("group")) {
    if (is_name(*group)) {
      instance.group = *group;
    } else {
      table.error("group", fmt::format("group {} is not a name: {}", quote(*group), kNameRule));
    }
  }
  positions.group = table.where("group");
  return complete && !instance.name.empty() && !instance.interface.empty();
}

void read_election(TomlTable& table, VrrpSettings& instance, VrrpPositions& positions) {
  instance.priority = table.integer<uint8_t>("priority", 1, 255).value_or(instance.priority);
  positions.priority = table.where("priority");
  instance.preempt = table.boolean("preempt").value_or(instance.preempt);
  positions.preempt = table.where("preempt");
  instance.preempt_delay =
      table.duration("preempt_delay", milliseconds(0), seconds(1000)).value_or(milliseconds(0));
  positions.preempt_delay = table.where("preempt_delay");
  instance.start_delay =
      table.duration("start_delay", milliseconds(0), seconds(1000)).value_or(milliseconds(0));
  positions.start_delay = table.where("start_delay");
}

// RFC 3768 section 5.3.7: whole seconds in a byte. RFC 9568 section 5.2.7: centiseconds in 12 bits.
void read_interval(TomlTable& table, VrrpSettings& instance) {
  instance.advert_interval = usual_advert_interval(instance.version);
  const auto interval = table.duration("advert_interval", milliseconds(1), std::chrono::hours(24));
  if (!interval) {
    return;
  }
  const bool v2 = instance.version == vrrp::Version::kV2;
  const milliseconds unit(v2 ? 1000 : 10);
  const milliseconds longest(v2 ? 255'000 : 40'950);
  if (*interval % unit == milliseconds(0) && *interval <= longest) {
    instance.advert_interval = *interval;
    return;
  }
  table.error(
      "advert_interval",
      v2 ? fmt::format("advert_interval {}: version 2 can say whole seconds only, \"1s\" to "
                       "\"255s\": write such a one, or version = 3",
                       format_duration(*interval))
         : fmt::format("advert_interval {}: version 3 can say multiples of 10 ms only, "
                       "\"10ms\" to \"40950ms\"",
                       format_duration(*interval)));
}

// Local addresses of mode fullnat may be written here as they are there: many in one text.
void read_addresses(TomlTable& table, VrrpSettings& instance, VrrpPositions& positions,
                    size_t& addresses_left) {
  const auto texts = table.strings("addresses");
  if (!texts) {
    return;
  }
  for (const TomlString& text : *texts) {
    const auto block = parse_address_block(text.value);
    if (!block) {
      table.error_at(text.where, "addresses " + block.error());
      positions.complete = false;
      continue;
    }
    const auto addresses = addresses_in(*block, std::min(vrrp::kMaximumAddresses, addresses_left));
    if (!addresses) {
      table.error_at(text.where,
                     fmt::format("addresses {} are too many: at most {} fit into an "
                                 "advert, and {} are all that there may be",
                                 quote(text.value), vrrp::kMaximumAddresses, kMostMentions));
      positions.complete = false;
      continue;
    }
    addresses_left -= addresses->size();
    instance.addresses.insert(instance.addresses.end(), addresses->begin(), addresses->end());
    positions.addresses.insert(positions.addresses.end(), addresses->size(), text.where);
  }
}

void read_peers(TomlTable& table, VrrpSettings& instance, VrrpPositions& positions) {
  positions.all_peers = table.where("unicast_peers");
  const auto texts = table.strings("unicast_peers");
  if (!texts) {
    return;
  }
  for (const TomlString& text : *texts) {
    const auto address = parse_address(text.value);
    if (!address) {
      table.error_at(text.where, "unicast_peers " + address.error());
      positions.complete = false;
    } else {
      instance.unicast_peers.push_back(*address);
      positions.unicast_peers.push_back(text.where);
    }
  }
}

void read_wire(TomlTable& table, VrrpSettings& instance, VrrpPositions& positions) {
  if (table.require("virtual_router_id")) {
    instance.virtual_router_id = table.integer<uint8_t>("virtual_router_id", 1, 255).value_or(0);
  }
  positions.virtual_router_id = table.where("virtual_router_id");
  if (const auto version = table.integer<uint8_t>("version", 2, 3)) {
    instance.version = vrrp::Version{*version};
  }
  positions.version = table.where("version");
  read_interval(table, instance);
  instance.virtual_mac = table.boolean("virtual_mac").value_or(instance.virtual_mac);
  instance.checksum = table.word("checksum", kChecksums).value_or(instance.checksum);
  positions.checksum = table.where("checksum");
  positions.checksum_given = table.has("checksum");
  instance.strict_addresses = table.boolean("strict_addresses").value_or(instance.strict_addresses);
  instance.minimum_ttl =
      table.integer<uint8_t>("minimum_ttl", 1, 255).value_or(instance.minimum_ttl);
  positions.minimum_ttl = table.where("minimum_ttl");
  positions.minimum_ttl_given = table.has("minimum_ttl");
  instance.announce_refresh =
      table.duration("announce_refresh", milliseconds(0), std::chrono::hours(1))
          .value_or(instance.announce_refresh);
}

}  // namespace

std::optional<std::vector<std::string>> read_command(TomlTable& table, std::string_view key) {
  std::vector<std::string> command;
  if (table.kind(key) == TomlKind::kString) {
    command.push_back(table.string(key).value_or(""));
  } else if (const auto words = table.strings(key)) {
    for (const TomlString& word : *words) {
      command.push_back(word.value);
    }
  } else {
    return std::nullopt;
  }
  const auto is_argument = [](const std::string& word) {
    return word.find('\0') == std::string::npos && word.size() <= 4096;
  };
  if (command.empty() || !is_path(command.front()) || command.size() > 64 ||
      !std::all_of(command.begin(), command.end(), is_argument)) {
    table.error(key, fmt::format("{} {} is not a command: write the absolute path of a program, or "
                                 "[\"/path\", \"argument\", ...]",
                                 key, quote(command.empty() ? "" : command.front())));
    return std::nullopt;
  }
  return command;
}

void read_vrrp(TomlTable table, LocatedConfiguration& into) {
  VrrpSettings instance;
  VrrpPositions positions;
  const bool named = read_names(table, instance, positions);
  read_wire(table, instance, positions);
  read_election(table, instance, positions);
  if (!table.require("addresses")) {
    positions.complete = false;
  }
  positions.all_addresses = table.where("addresses");
  read_addresses(table, instance, positions, into.vrrp_addresses_left);
  read_peers(table, instance, positions);
  for (const TomlTable& track : table.tables("track")) {
    read_vrrp_track(track, instance, positions);
  }
  instance.notify = read_command(table, "notify").value_or(instance.notify);
  table.finish();
  if (named && instance.virtual_router_id != 0) {
    into.configuration.vrrp.push_back(std::move(instance));
    into.vrrp.push_back(std::move(positions));
  }
}

}  // namespace ballast::control
