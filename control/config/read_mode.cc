#include "control/config/read_mode.h"

#include <algorithm>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "control/config/address_block.h"
#include "control/config/capabilities.h"
#include "control/config/endpoint.h"
#include "control/config/validate.h"

namespace ballast::control {
namespace {

constexpr TomlWord<Mode> kModes[] = {{"dr", Mode::kDirectRouting},
                                     {"nat", Mode::kNat},
                                     {"fullnat", Mode::kFullNat},
                                     {"tun", Mode::kTunnel}};
constexpr TomlWord<Encapsulation> kEncapsulations[] = {
    {"ipip", Encapsulation::kIpip}, {"gre", Encapsulation::kGre}, {"gue", Encapsulation::kGue}};

// 536 is what every host takes (RFC 9293 section 3.7.1), 65495 what fits into the longest packet.
constexpr uint16_t kLeastMss = 536;
constexpr uint16_t kLargestMss = 65495;

void read_mode_word(TomlTable& table, const Capabilities& capabilities, ServiceSettings& service,
                    ServicePositions& positions) {
  service.mode = table.word("mode", kModes).value_or(service.mode);
  positions.mode = table.where("mode");
  if (const std::string why = unsupported_mode(service.mode, capabilities); !why.empty()) {
    table.error("mode", why);
  }
}

// Says that a key is there whose mode the service does not have.
bool is_for_another_mode(TomlTable& table, std::string_view key, Mode mode,
                         const ServiceSettings& service) {
  if (service.mode == mode || !table.has(key)) {
    return false;
  }
  table.error(key, fmt::format("{} is for mode \"{}\", and this is \"{}\": remove it, or change "
                               "the mode",
                               key, name_of(mode), name_of(service.mode)));
  return true;
}

void read_local_addresses(TomlTable& table, ServiceSettings& service, ServicePositions& positions,
                          size_t& addresses_left) {
  const auto texts = table.strings("local_addresses");
  if (is_for_another_mode(table, "local_addresses", Mode::kFullNat, service) || !texts) {
    positions.complete = positions.complete && !table.has("local_addresses");
    return;
  }
  for (const TomlString& text : *texts) {
    const auto block = parse_address_block(text.value);
    if (!block) {
      table.error_at(text.where, "local_addresses " + block.error());
      positions.complete = false;
      continue;
    }
    const auto addresses = addresses_in(*block, std::min(kMostLocalAddresses, addresses_left));
    if (!addresses) {
      table.error_at(text.where,
                     fmt::format("local_addresses {} are too many: at most {} in all services, and "
                                 "{} counting each service's",
                                 quote(text.value), kMostLocalAddresses, kMostMentions));
      positions.complete = false;
      continue;
    }
    addresses_left -= addresses->size();
    service.local_addresses.insert(service.local_addresses.end(), addresses->begin(),
                                   addresses->end());
    positions.local_addresses.insert(positions.local_addresses.end(), addresses->size(),
                                     text.where);
  }
}

// A prefix, or an address alone.
tl::expected<Prefix, std::string> parse_tunnel_source(std::string_view text) {
  if (text.find('/') != std::string_view::npos) {
    return parse_prefix(text, R"("10.0.0.200/29" or "2001:db8::200/120")");
  }
  return parse_address(text).map([](const IpAddress& address) {
    return Prefix::containing(address, static_cast<uint8_t>(address.is_v4() ? 32 : 128));
  });
}

void read_tunnel_sources(TomlTable& table, TunnelSettings& tunnel, ServicePositions& positions) {
  const auto texts = table.strings("tunnel_source");
  if (!texts) {
    return;
  }
  for (const TomlString& text : *texts) {
    const auto source = parse_tunnel_source(text.value);
    if (!source) {
      table.error_at(text.where, "tunnel_source " + source.error());
      continue;
    }
    tunnel.sources.push_back(*source);
    positions.tunnel_sources.push_back(text.where);
  }
}

void read_tunnel(TomlTable& table, ServiceSettings& service, ServicePositions& positions) {
  TunnelSettings tunnel;
  tunnel.encapsulation =
      table.word("encapsulation", kEncapsulations).value_or(tunnel.encapsulation);
  read_tunnel_sources(table, tunnel, positions);
  tunnel.gue_port = table.integer<uint16_t>("gue_port", 1, 65535).value_or(tunnel.gue_port);
  tunnel.gue_checksum = table.boolean("gue_checksum").value_or(tunnel.gue_checksum);
  for (const std::string_view key :
       {"encapsulation", "tunnel_source", "gue_port", "gue_checksum"}) {
    if (is_for_another_mode(table, key, Mode::kTunnel, service)) {
      positions.tunnel_sources.clear();
      tunnel = {};
    } else if (key.starts_with("gue_") && tunnel.encapsulation != Encapsulation::kGue &&
               service.mode == Mode::kTunnel && table.has(key)) {
      table.error(key, fmt::format("{} is for encapsulation \"gue\", and this is \"{}\": remove "
                                   "it, or change the encapsulation",
                                   key, name_of(tunnel.encapsulation)));
    }
  }
  service.tunnel = std::move(tunnel);
}

// `mss = 1440` or `mss = "auto"`.
void read_mss(TomlTable& table, ServiceSettings& service, ServicePositions& positions) {
  positions.mss = table.where("mss");
  const auto kind = table.kind("mss");
  if (!kind) {
    return;
  }
  if (*kind == TomlKind::kInteger) {
    service.mss = table.integer<uint16_t>("mss", kLeastMss, kLargestMss).value_or(0);
    return;
  }
  service.mss_auto = *kind == TomlKind::kString && table.string("mss") == "auto";
  if (!service.mss_auto) {
    table.error("mss",
                fmt::format("mss must be a number ({}-{}) or \"auto\"", kLeastMss, kLargestMss));
  }
}

}  // namespace

void read_mode(TomlTable& table, const Capabilities& capabilities, ServiceSettings& service,
               ServicePositions& positions, size_t& addresses_left) {
  read_mode_word(table, capabilities, service, positions);
  read_local_addresses(table, service, positions, addresses_left);
  read_tunnel(table, service, positions);
  read_mss(table, service, positions);
  service.one_packet = table.boolean("one_packet").value_or(service.one_packet);
  positions.one_packet = table.where("one_packet");
}

}  // namespace ballast::control
