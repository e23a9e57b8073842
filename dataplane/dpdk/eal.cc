#include "dataplane/dpdk/eal.h"

#include <algorithm>
#include <fstream>
#include <functional>

#include <fmt/format.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <sched.h>
#include <unistd.h>

#include "dataplane/dpdk/device.h"

namespace ballast {
namespace {

constexpr unsigned kMemoryMbPerPort = 192;
constexpr unsigned kMemoryMbBase = 128;
// Buffers for frames of 9000 bytes, should the device need each in one piece: 4096 of 10.4 KB.
constexpr unsigned kMemoryMbPerJumboQueue = 48;
constexpr uint16_t kOrdinaryMtu = 1500;
constexpr unsigned kHugepageMb = 2;

unsigned memory_mb(const DataplaneSettings& settings) {
  if (settings.memory_mb != 0) {
    return settings.memory_mb;
  }
  unsigned sum = kMemoryMbBase + kMemoryMbPerPort * static_cast<unsigned>(settings.ports.size());
  for (const PortSettings& port : settings.ports) {
    if (port.mtu > kOrdinaryMtu) {
      sum += kMemoryMbPerJumboQueue * settings.workers;
    }
  }
  return sum;
}

unsigned free_hugepages() {
  std::ifstream file("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
  unsigned count = 0;
  file >> count;
  return count;
}

bool hugetlbfs_is_mounted() {
  std::ifstream mounts("/proc/mounts");
  std::string device;
  std::string where;
  std::string type;
  std::string rest;
  while (mounts >> device >> where >> type && std::getline(mounts, rest)) {
    if (type == "hugetlbfs") {
      return true;
    }
  }
  return false;
}

// vhost takes at most eight files of memory, which without this option is eight hugepages.
bool must_be_few_files(const DataplaneSettings& settings) {
  return std::any_of(settings.ports.begin(), settings.ports.end(), [](const PortSettings& port) {
    const auto device = Device::parse(port.device);
    return device && device->lends_memory();
  });
}

bool use_hugepages(const DataplaneSettings& settings) {
  switch (settings.hugepages) {
    case HugepageMode::kYes:
      return true;
    case HugepageMode::kNo:
      return false;
    case HugepageMode::kAuto:
      return free_hugepages() * kHugepageMb >= memory_mb(settings);
  }
  return false;
}

// The cores that this process may run on: EAL refuses a map that names another one.
std::vector<unsigned> usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<unsigned> cores;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    for (unsigned core = 0; core < CPU_SETSIZE; ++core) {
      if (CPU_ISSET(core, &set)) {
        cores.push_back(core);
      }
    }
  }
  return cores.empty() ? std::vector<unsigned>{0} : cores;
}

// One for one runtime folder of ours, so that a restart takes over what a killed process left
// behind.
std::string file_prefix(const DataplaneSettings& settings) {
  return fmt::format("ballast-{:016x}", std::hash<std::string>{}(settings.runtime_dir));
}

// lcore 0 is the main thread's, which floats; 1.. are the workers', pinned when cores are given.
std::string lcore_map(const DataplaneSettings& settings) {
  const std::string all = fmt::format("({})", fmt::join(usable_cores(), ","));
  std::string map = "0@" + all;
  const std::vector<unsigned> cores =
      parse_core_list(settings.cores).value_or(std::vector<unsigned>{});
  for (unsigned worker = 0; worker < settings.workers; ++worker) {
    map += fmt::format(",{}@{}", worker + 1,
                       worker < cores.size() ? std::to_string(cores[worker]) : all);
  }
  return map;
}

// EAL makes a folder for the files that processes share, and leaves it. Without shared files it is
// empty and nobody's: it goes at once, so that a killed process leaves none either. Of hugepages
// the files stay for the restart, and so does the folder; rmdir() never takes one with files.
void remove_unused_runtime_folder(const DataplaneSettings& settings) {
  const std::string folder = rte_eal_get_runtime_dir();
  if (folder.ends_with("/" + file_prefix(settings))) {
    rmdir(folder.c_str());
  }
}

}  // namespace

std::vector<std::string> eal_arguments(const DataplaneSettings& settings,
                                       const std::vector<std::string>& vdevs,
                                       const std::vector<std::string>& pci_addresses) {
  const std::string prefix = file_prefix(settings);
  std::vector<std::string> arguments{"ballast-dataplane",         "--lcores",
                                     lcore_map(settings),         "--log-level=lib.*:warning",
                                     "--log-level=pmd.*:warning", "--no-telemetry"};
  if (!use_hugepages(settings)) {
    arguments.insert(arguments.end(),
                     {"--no-huge", "--no-shconf", "-m", std::to_string(memory_mb(settings)),
                      "--file-prefix", prefix});
  } else if (hugetlbfs_is_mounted()) {
    arguments.insert(arguments.end(),
                     {"-m", std::to_string(memory_mb(settings)), "--file-prefix", prefix});
  } else {
    arguments.insert(arguments.end(),
                     {"--in-memory", "--iova-mode=va", "-m", std::to_string(memory_mb(settings))});
  }
  if (use_hugepages(settings) && must_be_few_files(settings)) {
    arguments.emplace_back("--single-file-segments");
  }
  if (pci_addresses.empty()) {
    arguments.emplace_back("--no-pci");
  }
  for (const std::string& address : pci_addresses) {
    arguments.insert(arguments.end(), {"-a", address});
  }
  for (const std::string& vdev : vdevs) {
    arguments.push_back("--vdev=" + vdev);
  }
  return arguments;
}

tl::expected<Eal, std::string> Eal::start(const DataplaneSettings& settings,
                                          const std::vector<std::string>& vdevs,
                                          const std::vector<std::string>& pci_addresses) {
  std::vector<std::string> arguments = eal_arguments(settings, vdevs, pci_addresses);
  std::vector<char*> raw;  // EAL may permute the pointers, not the strings
  raw.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) {
    raw.push_back(argument.data());
  }
  raw.push_back(nullptr);
  if (rte_eal_init(static_cast<int>(arguments.size()), raw.data()) < 0) {
    return tl::unexpected(
        fmt::format("DPDK did not start: {} (arguments: {}): its own lines above say more; without "
                    "hugepages set hugepages = false",
                    rte_strerror(rte_errno), fmt::join(arguments, " ")));
  }
  remove_unused_runtime_folder(settings);
  return Eal(true);
}

Eal::~Eal() {
  if (alive_) {
    rte_eal_cleanup();
  }
}

std::vector<unsigned> Eal::worker_lcores(uint16_t workers) {
  std::vector<unsigned> lcores;
  for (unsigned lcore = 1; lcore <= workers; ++lcore) {
    lcores.push_back(lcore);
  }
  return lcores;
}

std::string Eal::memory_in_words(const DataplaneSettings& settings) {
  return fmt::format("{} MiB {}", memory_mb(settings),
                     use_hugepages(settings) ? "of hugepages" : "without hugepages (--no-huge)");
}

}  // namespace ballast
