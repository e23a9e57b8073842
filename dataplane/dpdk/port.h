// A port of the dataplane: a device, or one VLAN of it, with a MAC, an MTU and a name, under which
// the kernel twin has it too.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "dataplane/dpdk/ethernet_device.h"
#include "dataplane/dpdk/settings.h"
#include "dataplane/dpdk/vlan.h"
#include "dataplane/packet/address.h"
#include "dataplane/packet/numbers.h"
#include "dataplane/pipeline/counters.h"
#include "dataplane/pipeline/steering.h"

struct rte_mbuf;
struct rte_mempool;

namespace ballast {

class Port {
 public:
  static constexpr uint16_t kBurst = EthernetDevice::kBurst;
  using Burst = EthernetDevice::Burst;

  // A port that has a device to itself, which EAL has under `eal_name`. `pool` outlives the port.
  static tl::expected<std::unique_ptr<Port>, std::string> open(
      const PortSettings& settings, const Device& device, const std::string& eal_name,
      const MacAddress& mac, const Steering& steering, rte_mempool& pool);
  // One of the ports of a device that runs. A MAC of zero is the device's own.
  Port(std::shared_ptr<EthernetDevice> ethernet, const PortSettings& settings,
       const MacAddress& mac, uint16_t workers);

  // --- worker threads
  // Frames of the worker's receive queue of the device, of all its ports.
  [[nodiscard]] uint16_t receive(WorkerIndex worker, Burst& burst) const {
    return ethernet_->receive(worker, burst);
  }
  // Tagged if the port has a VLAN. The frames may change places, and be other buffers of the same
  // content; refused are also those without room for the tag, and those in several buffers that
  // must be in one and do not fit there.
  [[nodiscard]] Transmission transmit(WorkerIndex worker, rte_mbuf** frames, uint16_t count) {
    return sends_as_they_are_ ? ethernet_->transmit(worker, frames, count)
                              : transmit_prepared(worker, frames, count);
  }
  [[nodiscard]] bool hashes_for_us() const { return ethernet_->hashes_for_us(); }
  // Of a port on a device that carries tags, which does not count its ports' frames apart:
  // `length` is length_on_wire().
  void count_received(WorkerIndex worker, uint32_t length);

  // --- main thread
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] EthernetDevice& ethernet() const { return *ethernet_; }
  [[nodiscard]] const Device& device() const { return ethernet_->device(); }
  [[nodiscard]] const MacAddress& mac() const { return mac_; }
  [[nodiscard]] uint16_t mtu() const { return mtu_; }
  [[nodiscard]] uint16_t vlan() const { return vlan_; }  // 0: untagged
  [[nodiscard]] bool device_link_is_up() const { return ethernet_->link_is_up(); }
  [[nodiscard]] PortCounters counters() const;

 private:
  struct alignas(64) Traffic {
    Counter<uint64_t> rx_packets, rx_bytes, tx_packets, tx_bytes;
  };

  Transmission transmit_prepared(WorkerIndex worker, rte_mbuf** frames, uint16_t count);
  [[nodiscard]] bool prepare(rte_mbuf*& frame) const;
  [[nodiscard]] rte_mbuf* in_one_buffer(rte_mbuf& frame) const;

  std::shared_ptr<EthernetDevice> ethernet_;
  std::string name_;
  MacAddress mac_;
  uint16_t mtu_;
  uint16_t vlan_;
  bool sends_as_they_are_;
  std::vector<Traffic> traffic_;  // by WorkerIndex, where the device carries tags
};

}  // namespace ballast
