// ballast-dataplane: forwards the traffic of virtual IPs. See docs/architecture.md.
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include "dataplane/api/unix_listener.h"
#include "dataplane/dpdk/dataplane.h"
#include "dataplane/dpdk/eal.h"
#include "dataplane/dpdk/port_mac.h"

namespace ballast {
namespace {

constexpr int kRefused = 1;
constexpr int kUsage = 2;

struct CommandLine {
  std::string file;
  std::vector<std::string> ports;  // "wan=af_xdp:eth1"
  std::optional<uint16_t> workers;
  std::optional<std::string> cores;
  std::optional<std::string> runtime_dir;
  std::optional<std::string> log_level;
  bool no_hugepages = false;
  bool check = false;
};

void add_options(CLI::App& app, CommandLine& line) {
  app.set_version_flag("--version", "ballast-dataplane " BALLAST_VERSION);
  app.add_option("-c,--config", line.file, "dataplane.toml; flags below override it")
      ->check(CLI::ExistingFile);
  app.add_option("--port", line.ports,
                 "a port, NAME=DEVICE, such as wan=af_xdp:eth1; may be repeated");
  app.add_option("--workers", line.workers, "forwarding threads")->check(CLI::Range(1, 64));
  app.add_option("--cores", line.cores, "cores to pin the workers to, such as 1-2");
  app.add_option("--runtime-dir", line.runtime_dir,
                 "where socket and lease page are (default /run/ballast)");
  app.add_option("--log-level", line.log_level, "trace, debug, info, warning, error")
      ->check(CLI::IsMember({"trace", "debug", "info", "warning", "error"}));
  app.add_flag("--no-hugepages", line.no_hugepages, "use ordinary memory");
  app.add_flag("--check", line.check, "check the settings, start nothing");
}

tl::expected<DataplaneSettings, std::string> settings_of(const CommandLine& line) {
  DataplaneSettings settings;
  if (!line.file.empty()) {
    auto read = read_settings(line.file);
    if (!read) {
      return read;
    }
    settings = std::move(*read);
  }
  for (const std::string& text : line.ports) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos) {
      return tl::unexpected(
          fmt::format("--port {}: expected NAME=DEVICE, such as wan=af_xdp:eth1", text));
    }
    PortSettings port;
    port.name = text.substr(0, equals);
    port.device = text.substr(equals + 1);
    settings.ports.push_back(std::move(port));
  }
  settings.workers = line.workers.value_or(settings.workers);
  settings.cores = line.cores.value_or(settings.cores);
  settings.runtime_dir = line.runtime_dir.value_or(settings.runtime_dir);
  settings.log_level = line.log_level.value_or(settings.log_level);
  settings.hugepages = line.no_hugepages ? HugepageMode::kNo : settings.hugepages;
  if (const auto valid = validate(settings); !valid) {
    return tl::unexpected(line.file.empty() ? valid.error()
                                            : fmt::format("{}: {}", line.file, valid.error()));
  }
  return settings;
}

// Devices, the MACs of ports where we give them, and EAL's arguments for the devices.
struct Devices {
  std::vector<DevicePlan> plans;
  std::vector<MacAddress> macs;  // by port
  std::vector<std::string> vdevs;
  std::vector<std::string> pci_addresses;
};

Devices devices_of(const DataplaneSettings& settings) {
  Devices result{.plans = plan_devices(settings),
                 .macs = std::vector<MacAddress>(settings.ports.size()),
                 .vdevs = {},
                 .pci_addresses = {}};
  for (const DevicePlan& plan : result.plans) {
    const size_t first = plan.ports.front();
    MacAddress device_mac = settings.ports[first].mac.value_or(MacAddress{});
    if (device_mac.is_zero() && plan.device.invents_mac()) {
      device_mac = kept_mac(settings.runtime_dir, settings.ports[first].name);
    }
    // Ports on one device have its MAC, each in its VLAN, unless they were given another.
    for (const size_t port : plan.ports) {
      result.macs[port] =
          settings.ports[port].mac.value_or(plan.device.invents_mac() ? device_mac : MacAddress{});
    }
    // An interface that is not a NIC has one XDP queue unless the operator knows better.
    const uint16_t default_queues =
        plan.device.kind == DeviceKind::kAfXdp ? uint16_t{1} : settings.workers;
    const uint16_t queues = plan.settings.queues != 0 ? plan.settings.queues : default_queues;
    if (auto vdev = vdev_argument(plan.device, first, queues, plan.settings.mtu, device_mac)) {
      result.vdevs.push_back(std::move(*vdev));
    } else {
      result.pci_addresses.push_back(plan.device.argument);
    }
  }
  return result;
}

// The PMDs bind to their path as they find it; what a killed dataplane left there is in their way.
tl::expected<void, std::string> make_room_for_sockets(const std::vector<DevicePlan>& plans) {
  for (const DevicePlan& plan : plans) {
    if (!plan.device.makes_socket()) {
      continue;
    }
    if (auto free = api::remove_dead_socket(plan.device.argument); !free) {
      return tl::unexpected(fmt::format("port \"{}\": {}", plan.settings.port, free.error()));
    }
  }
  return {};
}

int fail(const std::string& message) {
  fmt::print(stderr, "ballast-dataplane: {}\n", message);
  return kRefused;
}

int run(const CommandLine& line) {
  const auto settings = settings_of(line);
  if (!settings) {
    return fail(settings.error());
  }
  if (line.check) {
    fmt::print("{}: {} ports, {} workers: good\n", line.file.empty() ? "flags" : line.file,
               settings->ports.size(), settings->workers);
    return EXIT_SUCCESS;
  }
  spdlog::set_default_logger(spdlog::stderr_logger_mt("ballast-dataplane"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %n[%P] %v");
  spdlog::set_level(spdlog::level::from_str(settings->log_level));
  spdlog::flush_on(spdlog::level::info);
  if (mkdir(settings->runtime_dir.c_str(), 0755) != 0 && errno != EEXIST) {
    return fail(fmt::format("runtime_dir {}: {}", settings->runtime_dir, std::strerror(errno)));
  }
  // SIGHUP means "reload" to ballastd; here nothing reloads. SIGPIPE would end us when the driver
  // of virtio_user says farewell to a peer that has gone.
  for (const int number : {SIGHUP, SIGPIPE}) {
    if (std::signal(number, SIG_IGN) == SIG_ERR) {
      return fail(fmt::format("cannot ignore signal {}", number));
    }
  }
  const Devices devices = devices_of(*settings);
  if (const auto done = make_room_for_sockets(devices.plans); !done) {
    return fail(done.error());
  }
  const auto eal = Eal::start(*settings, devices.vdevs, devices.pci_addresses);
  if (!eal) {
    return fail(eal.error());
  }
  spdlog::info("memory: {}", Eal::memory_in_words(*settings));
  auto dataplane = Dataplane::create(*settings, devices.plans, devices.macs);
  if (!dataplane) {
    return fail(dataplane.error());
  }
  (*dataplane)->run();
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace ballast

int main(int argc, char** argv) {
  CLI::App app{"forwards the traffic of virtual IPs to their real servers"};
  ballast::CommandLine line;
  ballast::add_options(app, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? EXIT_SUCCESS : ballast::kUsage;
  }
  return ballast::run(line);
}
