// A device as DPDK drives it: queues, RSS, link, the transmit queues that workers share where the
// device has too few, and which of its offloads are used. Ports sit on it (port.h): one, or several
// with different VLANs.
//
// Which offloads, and why
//   Frames longer than a buffer are received and sent in several, where the device can; VLAN tags
//   are taken off and put on by the device, where it can; RSS gives the hash along. That is all:
//   checksums are not asked for, in neither direction. What this program changes in a packet it
//   changes in the checksum too, by an addition or two, while cards leave their fastest transmit
//   path for it; and a device that is not asked to verify or finish checksums hands over none that
//   its peer left unfinished (virtio), nor segments longer than the MTU.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "dataplane/dpdk/device.h"
#include "dataplane/dpdk/mac_filter.h"
#include "dataplane/packet/address.h"
#include "dataplane/packet/drop_reason.h"
#include "dataplane/packet/numbers.h"
#include "dataplane/pipeline/steering.h"

struct rte_eth_conf;
struct rte_eth_dev_info;
struct rte_mbuf;
struct rte_mempool;

namespace ballast {

struct PortCounters {
  uint64_t rx_packets = 0;
  uint64_t rx_bytes = 0;
  uint64_t tx_packets = 0;
  uint64_t tx_bytes = 0;
  uint64_t rx_missed = 0;
  uint64_t rx_errors = 0;
  uint64_t tx_errors = 0;
};

// What became of a burst: the first `sent` frames are the device's; the rest stay the caller's.
// Of the rest, the last `refused` ones can never be sent as they are, the others found no room.
struct Transmission {
  // Of the frame with this subscript in the burst of `count`, one of the rest.
  [[nodiscard]] DropReason reason_of(size_t frame, size_t count) const {
    return frame < count - refused ? DropReason::kTransmitFull : DropReason::kTransmitRefused;
  }

  uint16_t sent = 0;
  uint16_t refused = 0;
};

struct EthernetDeviceSettings {
  std::string port;     // whose errors these are: the first one on the device
  uint16_t queues = 0;  // 0: as many as there are workers, or as the device has
  uint16_t mtu = 1500;  // the largest of its ports
  bool tagged = false;  // a port of it has a VLAN
  // Frames that lie in several buffers may have to be sent.
  bool chained_frames = false;
};

class EthernetDevice {
 public:
  static constexpr uint16_t kBurst = 64;  // frames that are received at a time, at most
  using Burst = std::array<rte_mbuf*, kBurst>;

  // How large the buffers must be that the device receives into (of the pool for open()), headroom
  // included: ordinary ones, where it spreads long frames over several.
  static tl::expected<uint16_t, std::string> buffer_size(const EthernetDeviceSettings& settings,
                                                         const Device& device,
                                                         const std::string& eal_name);

  // Configures and starts the device that EAL has under `eal_name`. `pool` outlives it.
  static tl::expected<std::shared_ptr<EthernetDevice>, std::string> open(
      const EthernetDeviceSettings& settings, const Device& device, const std::string& eal_name,
      const Steering& steering, rte_mempool& pool);
  ~EthernetDevice();
  EthernetDevice(const EthernetDevice&) = delete;
  EthernetDevice& operator=(const EthernetDevice&) = delete;

  // --- worker threads
  // Frames of the worker's receive queue; 0 for a worker that has none.
  [[nodiscard]] uint16_t receive(WorkerIndex worker, Burst& burst) const;
  // The frames that are refused change places with others.
  [[nodiscard]] Transmission transmit(WorkerIndex worker, rte_mbuf** frames, uint16_t count);
  // Whether the hash of every packet that it marks as hashed is the steering's.
  [[nodiscard]] bool hashes_for_us() const { return hashes_for_us_; }
  // Whether a port of it has a VLAN.
  [[nodiscard]] bool carries_tags() const { return tagged_; }
  [[nodiscard]] bool inserts_tags() const { return inserts_tags_; }
  // Whether frames in several buffers must be copied into one before it sends them.
  [[nodiscard]] bool sends_single_buffers_only() const { return sends_single_buffers_only_; }
  [[nodiscard]] rte_mempool& pool() const { return pool_; }

  // --- main thread
  [[nodiscard]] const Device& device() const { return device_; }
  [[nodiscard]] MacAddress mac() const;
  [[nodiscard]] uint16_t receive_queues() const { return receive_queues_; }
  [[nodiscard]] uint16_t transmit_queues() const { return transmit_queues_; }
  // By the device; of af_packet and af_xdp it says nothing (see Device::kernel_interface).
  [[nodiscard]] bool link_is_up() const;
  [[nodiscard]] PortCounters counters() const;
  [[nodiscard]] MacFilter& mac_filter() { return *mac_filter_; }
  [[nodiscard]] const MacFilter& mac_filter() const { return *mac_filter_; }
  [[nodiscard]] std::string steering_in_words() const;
  // Who brings the replies of NAT's and FULLNAT's servers to their owners.
  [[nodiscard]] std::string reply_steering_in_words() const;
  [[nodiscard]] std::vector<std::string> offloads_in_words() const;

 private:
  struct SharedQueue;

  static constexpr uint16_t kNoDevice = UINT16_MAX;

  explicit EthernetDevice(rte_mempool& pool);
  tl::expected<void, std::string> configure(const EthernetDeviceSettings& settings,
                                            const Steering& steering);
  void choose_queues(const EthernetDeviceSettings& settings, const rte_eth_dev_info& info);
  void choose_offloads(const EthernetDeviceSettings& settings, const rte_eth_dev_info& info,
                       rte_eth_conf& conf);
  tl::expected<void, std::string> set_up_queues();
  [[nodiscard]] tl::expected<void, std::string> check_interface(uint16_t mtu) const;
  [[nodiscard]] bool program_indirection(uint16_t entries) const;

  std::string port_;
  Device device_;
  rte_mempool& pool_;
  uint16_t id_ = kNoDevice;
  uint16_t workers_ = 1;
  uint16_t receive_queues_ = 1;
  uint16_t transmit_queues_ = 1;
  bool rss_ = false;        // spreads packets over its queues by our key and table
  uint64_t rss_types_ = 0;  // that it does so for (rss_types.h)
  bool hashes_for_us_ = false;
  bool receives_in_several_ = false;  // buffers
  bool sends_several_ = false;
  bool sends_single_buffers_only_ = false;
  bool tagged_ = false;
  bool strips_tags_ = false;
  bool inserts_tags_ = false;
  std::unique_ptr<MacFilter> mac_filter_;  // once the device runs
  std::vector<std::unique_ptr<SharedQueue>>
      shared_;  // one per transmit queue; empty when every worker has its own
};

}  // namespace ballast
