#include "dataplane/dpdk/settings.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <set>

#include <fmt/format.h>

#include "dataplane/api/lease_page.h"
#include "dataplane/dpdk/device.h"
#include "dataplane/dpdk/vlan.h"
#include "toml_reader/toml_document.h"

namespace ballast {
namespace {

constexpr uint16_t kSmallestMtu = 1280;  // RFC 8200 section 5
constexpr uint16_t kLargestMtu = 9000;
constexpr size_t kMaxInterfaceName = 15;
constexpr uint32_t kMaxRate = 100'000'000;

void read_dataplane(TomlTable table, DataplaneSettings& settings) {
  settings.workers = table.integer<uint16_t>("workers", 1, kMaxWorkers).value_or(settings.workers);
  settings.cores = table.string("cores").value_or(settings.cores);
  settings.idle = table
                      .word<IdleMode>("idle", {{"auto", IdleMode::kAuto},
                                               {"poll", IdleMode::kPoll},
                                               {"sleep", IdleMode::kSleep}})
                      .value_or(settings.idle);
  if (table.kind("hugepages") == TomlKind::kBoolean) {
    settings.hugepages =
        table.boolean("hugepages").value_or(true) ? HugepageMode::kYes : HugepageMode::kNo;
  } else {
    settings.hugepages = table.word<HugepageMode>("hugepages", {{"auto", HugepageMode::kAuto}})
                             .value_or(settings.hugepages);
  }
  settings.memory_mb =
      table.integer<uint32_t>("memory_mb", 64, 1U << 20U).value_or(settings.memory_mb);
  settings.runtime_dir = table.string("runtime_dir").value_or(settings.runtime_dir);
  static constexpr std::string_view kLevels[] = {"trace", "debug", "info", "warning", "error"};
  if (const auto level = table.word_index("log_level", kLevels)) {
    settings.log_level = kLevels[*level];
  }
  settings.answers_per_second = table.integer<uint32_t>("answers_per_second", 0, kMaxRate)
                                    .value_or(settings.answers_per_second);
  settings.announce_refresh =
      table.duration("announce_refresh", std::chrono::milliseconds(0), std::chrono::hours(1))
          .value_or(settings.announce_refresh);
  settings.max_servers =
      table.integer<uint32_t>("max_servers", 1, 1'000'000).value_or(settings.max_servers);
  settings.max_neighbors =
      table.integer<uint32_t>("max_neighbors", 1, 1'000'000).value_or(settings.max_neighbors);
  table.finish();
}

void read_connections(TomlTable table, ConnectionLimits& limits) {
  static constexpr uint32_t kMost = 1'000'000'000;
  limits.trusted = table.integer<uint32_t>("trusted", 1, kMost).value_or(limits.trusted);
  limits.untrusted = table.integer<uint32_t>("untrusted", 1, kMost).value_or(limits.untrusted);
  limits.translations = table.boolean("nat").value_or(limits.translations);
  table.finish();
}

void read_punt(TomlTable table, PuntLimits& limits) {
  limits.vrrp = table.integer<uint32_t>("vrrp", 0, kMaxRate).value_or(limits.vrrp);
  limits.neighbor = table.integer<uint32_t>("neighbor", 0, kMaxRate).value_or(limits.neighbor);
  limits.routing = table.integer<uint32_t>("routing", 0, kMaxRate).value_or(limits.routing);
  limits.other = table.integer<uint32_t>("other", 0, kMaxRate).value_or(limits.other);
  table.finish();
}

PortSettings read_port(TomlTable table) {
  PortSettings port;
  if (table.require("name")) {
    port.name = table.string("name").value_or("");
    table.set_context(fmt::format("port \"{}\"", port.name));
  }
  if (table.require("device")) {
    port.device = table.string("device").value_or("");
  }
  if (const auto text = table.string("mac")) {
    port.mac = MacAddress::parse(*text);
    if (!port.mac || port.mac->is_multicast() || port.mac->is_zero()) {
      table.error(
          "mac",
          fmt::format("mac: \"{}\" is not a unicast MAC such as \"02:00:00:00:00:01\"", *text));
    }
  }
  port.queues = table.integer<uint16_t>("queues", 1, kMaxWorkers).value_or(port.queues);
  port.mtu = table.integer<uint16_t>("mtu", kSmallestMtu, kLargestMtu).value_or(port.mtu);
  port.vlan = table.integer<uint16_t>("vlan", 1, kLargestVlan).value_or(port.vlan);
  table.finish();
  return port;
}

bool is_interface_name(const std::string& name) {
  return !name.empty() && name.size() <= kMaxInterfaceName && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(), [](unsigned char character) {
           return std::isalnum(character) != 0 || character == '-' || character == '_' ||
                  character == '.';
         });
}

// Two ports on one device, of which `first` is known already.
tl::expected<void, std::string> validate_pair(const PortSettings& first,
                                              const PortSettings& second) {
  if (first.device != second.device || first.vlan == second.vlan) {
    return tl::unexpected(
        fmt::format("port \"{}\": device {} belongs to another port, \"{}\": ports that share a "
                    "device need different VLANs, and name it alike",
                    second.name, second.device, first.name));
  }
  if (first.queues != second.queues) {
    return tl::unexpected(
        fmt::format("port \"{}\": queues: {}: they are the device's, and port \"{}\" on it says {}",
                    second.name, second.queues, first.name, first.queues));
  }
  return {};
}

tl::expected<void, std::string> validate_ports(const DataplaneSettings& settings) {
  if (settings.ports.empty() || settings.ports.size() > kMaxPorts) {
    return tl::unexpected(
        fmt::format("{} ports: expected 1 to {}: add a [[port]] with name and device",
                    settings.ports.size(), kMaxPorts));
  }
  std::set<std::string> names;
  std::multimap<std::string, const PortSettings*> devices;  // interfaces and sockets
  for (const PortSettings& port : settings.ports) {
    if (!is_interface_name(port.name)) {
      return tl::unexpected(
          fmt::format("port \"{}\": the name is also that of a kernel interface: expected 1-15 of "
                      "letters, digits, '-', '_', '.'",
                      port.name));
    }
    const auto device = Device::parse(port.device);
    if (!device) {
      return tl::unexpected(fmt::format("port \"{}\": {}", port.name, device.error()));
    }
    if (port.queues > settings.workers) {
      return tl::unexpected(
          fmt::format("port \"{}\": queues: {}: more than there are workers to read them ({})",
                      port.name, port.queues, settings.workers));
    }
    if (!names.insert(port.name).second) {
      return tl::unexpected(
          fmt::format("port \"{}\": there are two ports of this name", port.name));
    }
    for (auto [known, end] = devices.equal_range(device->argument); known != end; ++known) {
      if (auto pair = validate_pair(*known->second, port); !pair) {
        return pair;
      }
    }
    devices.emplace(device->argument, &port);
  }
  for (const std::string& name : names) {
    if (const auto device = devices.find(name); device != devices.end()) {
      return tl::unexpected(fmt::format(
          "port \"{}\": the name is also that of its kernel twin: it must differ from the "
          "interface of port \"{}\"",
          name, device->second->name));
    }
  }
  return {};
}

}  // namespace

std::optional<std::vector<unsigned>> parse_core_list(const std::string& text) {
  std::vector<unsigned> cores;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    unsigned first = 0;
    auto [next, error] = std::from_chars(at, end, first);
    if (error != std::errc{}) {
      return std::nullopt;
    }
    unsigned last = first;
    if (next != end && *next == '-') {
      auto [behind, range_error] = std::from_chars(next + 1, end, last);
      if (range_error != std::errc{}) {
        return std::nullopt;
      }
      next = behind;
    }
    if (last < first || last > std::numeric_limits<uint16_t>::max()) {
      return std::nullopt;
    }
    for (unsigned core = first; core <= last; ++core) {
      cores.push_back(core);
    }
    if (next != end && (*next != ',' || next + 1 == end)) {
      return std::nullopt;
    }
    at = next == end ? end : next + 1;
  }
  std::set<unsigned> distinct(cores.begin(), cores.end());
  return distinct.size() == cores.size() ? std::optional(cores) : std::nullopt;
}

tl::expected<DataplaneSettings, std::string> read_settings(const std::string& path) {
  const auto document = TomlDocument::read_file(path);
  if (!document) {
    return tl::unexpected(document.error());
  }
  TomlReport report(document->file());
  TomlTable root = document->root(report);
  DataplaneSettings settings;
  if (const auto table = root.table("dataplane")) {
    read_dataplane(*table, settings);
  }
  if (const auto table = root.table("connections")) {
    read_connections(*table, settings.connections);
  }
  if (const auto table = root.table("punt")) {
    read_punt(*table, settings.punt);
  }
  for (const TomlTable& table : root.tables("port")) {
    settings.ports.push_back(read_port(table));
  }
  root.finish();
  if (report.has_errors()) {
    return tl::unexpected(fmt::format("{}", fmt::join(report.errors(), "\n")));
  }
  return settings;
}

tl::expected<void, std::string> validate(const DataplaneSettings& settings) {
  const auto cores = parse_core_list(settings.cores);
  if (!cores) {
    return tl::unexpected(
        fmt::format("cores: \"{}\": expected a list such as \"1-3,5\"", settings.cores));
  }
  if (!cores->empty() && cores->size() < settings.workers) {
    return tl::unexpected(
        fmt::format("cores: \"{}\": {} cores for {} workers: expected one for each", settings.cores,
                    cores->size(), settings.workers));
  }
  if (settings.connections.trusted < settings.workers ||
      settings.connections.untrusted < settings.workers) {
    return tl::unexpected(
        std::string("connections: trusted and untrusted must be at least the number of workers"));
  }
  return validate_ports(settings);
}

}  // namespace ballast
