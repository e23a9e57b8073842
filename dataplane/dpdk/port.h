// A device port: queues, RSS, MAC, link, and the transmit queues that workers share where the
// device has too few.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "dataplane/dpdk/device.h"
#include "dataplane/dpdk/settings.h"
#include "dataplane/packet/address.h"
#include "dataplane/packet/numbers.h"
#include "dataplane/pipeline/steering.h"

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

class Port {
 public:
  static constexpr uint16_t kBurst = 64;  // frames that are received at a time, at most
  using Burst = std::array<rte_mbuf*, kBurst>;

  // Configures and starts the device that EAL has under `eal_name`. `pool` outlives the port.
  static tl::expected<std::unique_ptr<Port>, std::string> open(
      const PortSettings& settings, const Device& device, const std::string& eal_name,
      const MacAddress& mac, const Steering& steering, rte_mempool& pool);
  ~Port();
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  // --- worker threads
  // Frames of the worker's receive queue; 0 for a worker that has none.
  [[nodiscard]] uint16_t receive(WorkerIndex worker, Burst& burst) const;
  // How many of the frames the device took; the rest stay the caller's.
  [[nodiscard]] uint16_t transmit(WorkerIndex worker, rte_mbuf** frames, uint16_t count);
  [[nodiscard]] bool hashes_for_us() const { return rss_; }

  // --- main thread
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const Device& device() const { return device_; }
  [[nodiscard]] const MacAddress& mac() const { return mac_; }
  [[nodiscard]] uint16_t mtu() const { return mtu_; }
  [[nodiscard]] uint16_t receive_queues() const { return receive_queues_; }
  [[nodiscard]] uint16_t transmit_queues() const { return transmit_queues_; }
  // By the device; of af_packet and af_xdp it says nothing (see Device::kernel_interface).
  [[nodiscard]] bool device_link_is_up() const;
  [[nodiscard]] PortCounters counters() const;
  [[nodiscard]] std::string steering_in_words() const;
  // Lets frames to these MACs in beside those to mac(): by the device's filter where it takes them
  // all, by promiscuous mode where not. Each is given once.
  void accept_virtual_macs(const std::vector<MacAddress>& macs);
  [[nodiscard]] std::string mac_filter_in_words() const;

 private:
  struct SharedQueue;

  static constexpr uint16_t kNoDevice = UINT16_MAX;

  Port() = default;
  tl::expected<void, std::string> configure(const PortSettings& settings, const Steering& steering,
                                            rte_mempool& pool);
  tl::expected<void, std::string> set_up_queues(rte_mempool& pool);
  bool program_indirection(uint16_t entries) const;
  int add_to_filter(const MacAddress& mac);

  std::string name_;
  Device device_;
  MacAddress mac_;
  uint16_t id_ = kNoDevice;
  uint16_t mtu_ = 1500;
  uint16_t workers_ = 1;
  uint16_t receive_queues_ = 1;
  uint16_t transmit_queues_ = 1;
  bool rss_ = false;
  bool promiscuous_ = true;
  int filter_error_ = 0;              // why it is; 0: nobody has asked for a filter yet
  std::vector<MacAddress> filtered_;  // that the device takes beside its own
  std::vector<std::unique_ptr<SharedQueue>>
      shared_;  // one per transmit queue; empty when every worker has its own
};

}  // namespace ballast
