// What ballast-dataplane is started with: dataplane.toml, or flags.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "dataplane/connection/connection_table.h"
#include "dataplane/packet/address.h"
#include "dataplane/pipeline/punt.h"

namespace ballast {

// What a worker does when its polls find nothing.
enum class IdleMode : uint8_t {
  kAuto,   // kSleep when any port is a virtual device, else kPoll
  kPoll,   // polls at 100 % of its core
  kSleep,  // after some empty polls, sleeps of some ten microseconds
};

enum class HugepageMode : uint8_t { kAuto, kYes, kNo };

struct PortSettings {
  std::string name;  // also the kernel twin's
  // "0000:3b:00.0", "af_xdp:eth1", "af_packet:eth1", "tap:NAME", "memif:/path", "vhost:/path",
  // "virtio_user:/path"
  std::string device;
  std::optional<MacAddress> mac;
  uint16_t queues = 0;  // 0: as many as there are workers, or as the device has
  uint16_t mtu = 1500;
  uint16_t vlan = 0;  // of its frames; 0: untagged. Ports of different VLANs may share a device.
};

struct DataplaneSettings {
  uint16_t workers = 1;
  std::string
      cores;  // "1-2" or "1,3": one per worker, pinned; empty: the workers float over all cores
  IdleMode idle = IdleMode::kAuto;
  HugepageMode hugepages = HugepageMode::kAuto;
  uint32_t memory_mb = 0;  // for DPDK; 0: what the ports need
  std::string runtime_dir = "/run/ballast";
  std::string log_level = "info";
  // Over all workers; `translations`: whether there may be services in mode NAT and FULLNAT.
  ConnectionLimits connections{.translations = true};
  PuntLimits punt;  // each worker's
  uint32_t answers_per_second = 1000;
  std::chrono::milliseconds announce_refresh{60'000};  // of VIPs that are held; 0: never
  uint32_t max_servers = 65'536;
  uint32_t max_neighbors = 65'536;
  std::vector<PortSettings> ports;

  [[nodiscard]] std::string socket_path() const { return runtime_dir + "/dataplane.sock"; }
  [[nodiscard]] std::string lease_page_path() const { return runtime_dir + "/leases"; }
};

// All errors of the file, each with file:line:column, one a line.
tl::expected<DataplaneSettings, std::string> read_settings(const std::string& path);

// What holds for a file and for flags alike: at least one port, names that an interface may have,
// no device twice for one VLAN, as many cores as workers, ... The first error.
tl::expected<void, std::string> validate(const DataplaneSettings& settings);

// "1-3,5" -> {1,2,3,5}; nothing when it is not such a list or names a core twice.
std::optional<std::vector<unsigned>> parse_core_list(const std::string& text);

}  // namespace ballast
