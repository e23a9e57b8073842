// The device behind a port: a NIC by its PCI address, or a virtual device for machines without a
// spare one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <tl/expected.hpp>

#include "dataplane/packet/address.h"

namespace ballast {

enum class DeviceKind : uint8_t { kPci, kAfPacket, kAfXdp, kTap, kMemif, kVhost, kVirtioUser };

struct Device {
  DeviceKind kind = DeviceKind::kPci;
  std::string argument;  // PCI address, kernel interface, tap interface, socket path

  // "0000:3b:00.0", "af_packet:eth1", "af_xdp:eth1", "tap:lb0", "memif:/run/ballast/memif.sock",
  // "vhost:/run/ballast/vhost.sock", "virtio_user:/run/vswitch/port1.sock".
  static tl::expected<Device, std::string> parse(const std::string& text);

  [[nodiscard]] bool is_virtual() const { return kind != DeviceKind::kPci; }
  // The kernel interface that the port sits on, empty when it has none: its link is the port's
  // link.
  [[nodiscard]] std::string kernel_interface() const;
  // Whether the device has no MAC of its own that it should answer with.
  [[nodiscard]] bool invents_mac() const { return kind == DeviceKind::kTap || is_on_socket(); }
  // Whether the argument is the path of a unix socket, through which two processes agree on memory
  // that both see.
  [[nodiscard]] bool is_on_socket() const {
    return kind == DeviceKind::kVirtioUser || makes_socket();
  }
  // Whether the device listens on that socket, rather than connects to one that another process
  // has made.
  [[nodiscard]] bool makes_socket() const {
    return kind == DeviceKind::kMemif || kind == DeviceKind::kVhost;
  }
  // Whether the peer maps our memory, of which it takes only a few files: EAL must keep its
  // hugepages together.
  [[nodiscard]] bool lends_memory() const { return kind == DeviceKind::kVirtioUser; }
};

// What EAL calls the device: "net_af_xdp2" for the third port, or the PCI address.
std::string eal_name(const Device& device, size_t port);

// Bytes of a frame in af_packet's rings, for packets of this MTU.
uint32_t af_packet_frame_size(uint16_t mtu);

// EAL's --vdev argument, nothing for a PCI device.
std::optional<std::string> vdev_argument(const Device& device, size_t port, uint16_t queues,
                                         uint16_t mtu, const MacAddress& mac);

}  // namespace ballast
