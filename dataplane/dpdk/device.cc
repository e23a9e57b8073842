#include "dataplane/dpdk/device.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include <fmt/format.h>
#include <sys/un.h>

namespace ballast {
namespace {

constexpr size_t kMaxInterfaceName = 15;  // IFNAMSIZ less its end

// Of a unix socket, less the zero at its end; the PMDs would cut what is longer.
constexpr size_t kMaxSocketPath = sizeof(sockaddr_un::sun_path) - 1;
constexpr uint32_t kAfPacketFrameUnit = 2048;
// Descriptors of a virtio ring, a power of two. As many as we ask of a NIC: with its default of 256
// a burst of the peer finds it full.
constexpr unsigned kVirtioQueueSize = 1024;

constexpr std::array<std::pair<std::string_view, DeviceKind>, 6> kVirtualKinds{{
    {"af_packet", DeviceKind::kAfPacket},
    {"af_xdp", DeviceKind::kAfXdp},
    {"tap", DeviceKind::kTap},
    {"memif", DeviceKind::kMemif},
    {"vhost", DeviceKind::kVhost},
    {"virtio_user", DeviceKind::kVirtioUser},
}};

// domain:bus:device.function in hexadecimal, as lspci -D prints it.
bool is_pci_address(const std::string& text) {
  static constexpr std::string_view kShape = "xxxx:xx:xx.x";
  return text.size() == kShape.size() &&
         std::equal(text.begin(), text.end(), kShape.begin(), [](char character, char shape) {
           return shape == 'x' ? std::isxdigit(static_cast<unsigned char>(character)) != 0
                               : character == shape;
         });
}

// EAL separates a device's arguments by commas: a name that holds one would say more than it
// should.
bool is_plain(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char character) {
    return std::isgraph(character) != 0 && character != ',' && character != '=';
  });
}

}  // namespace

tl::expected<Device, std::string> Device::parse(const std::string& text) {
  if (is_pci_address(text)) {
    return Device{DeviceKind::kPci, text};
  }
  const size_t colon = text.find(':');
  const std::string_view kind_text = std::string_view(text).substr(0, colon);
  for (const auto& [name, kind] : kVirtualKinds) {
    if (kind_text != name || colon == std::string::npos) {
      continue;
    }
    Device device{kind, text.substr(colon + 1)};
    const size_t longest = device.is_on_socket() ? kMaxSocketPath : kMaxInterfaceName;
    if (!is_plain(device.argument) || device.argument.size() > longest) {
      return tl::unexpected(
          fmt::format("device \"{}\": \"{}\" is not {} (1-{} characters)", text, device.argument,
                      device.is_on_socket() ? "a socket path" : "an interface name", longest));
    }
    return device;
  }
  return tl::unexpected(fmt::format(
      "device \"{}\": expected a PCI address (0000:3b:00.0), af_packet:INTERFACE, "
      "af_xdp:INTERFACE, tap:INTERFACE, memif:SOCKET, vhost:SOCKET or virtio_user:SOCKET",
      text));
}

// A frame of the ring must hold the packet, its link-layer header and the kernel's own 66 bytes. A
// block must be of whole pages, and of whole frames, since the PMD knows no gaps.
uint32_t af_packet_frame_size(uint16_t mtu) {
  static constexpr uint32_t kAround = 14 + 2 * 4 + 66 + 60;
  const uint32_t wanted = mtu + kAround;
  return (wanted + kAfPacketFrameUnit - 1) / kAfPacketFrameUnit * kAfPacketFrameUnit;
}

std::string Device::kernel_interface() const {
  return kind == DeviceKind::kAfPacket || kind == DeviceKind::kAfXdp ? argument : std::string();
}

std::string eal_name(const Device& device, size_t port) {
  switch (device.kind) {
    case DeviceKind::kPci:
      return device.argument;
    case DeviceKind::kAfPacket:
      return fmt::format("net_af_packet{}", port);
    case DeviceKind::kAfXdp:
      return fmt::format("net_af_xdp{}", port);
    case DeviceKind::kTap:
      return fmt::format("net_tap{}", port);
    case DeviceKind::kMemif:
      return fmt::format("net_memif{}", port);
    case DeviceKind::kVhost:
      return fmt::format("net_vhost{}", port);
    case DeviceKind::kVirtioUser:
      return fmt::format("net_virtio_user{}", port);
  }
  return {};
}

std::optional<std::string> vdev_argument(const Device& device, size_t port, uint16_t queues,
                                         uint16_t mtu, const MacAddress& mac) {
  const std::string name = eal_name(device, port);
  switch (device.kind) {
    case DeviceKind::kPci:
      return std::nullopt;
    case DeviceKind::kAfPacket: {
      const uint32_t frame_size = af_packet_frame_size(mtu);
      const bool is_ordinary = frame_size == kAfPacketFrameUnit;
      return fmt::format("{},iface={},qpairs={},blocksz={},framesz={},framecnt={}", name,
                         device.argument, queues, frame_size * (is_ordinary ? 32 : 4), frame_size,
                         is_ordinary ? 4096 : 1024);
    }
    case DeviceKind::kAfXdp:
      return fmt::format("{},iface={},start_queue=0,queue_count={}", name, device.argument, queues);
    case DeviceKind::kTap:
      return fmt::format("{},iface={}", name, device.argument);
    case DeviceKind::kMemif:
      return fmt::format("{},role=server,socket={},socket-abstract=no,mac={}", name,
                         device.argument, mac.to_string());
    case DeviceKind::kVhost:
      // Without TSO: a frame of the peer must fit the wire. Its unfinished checksums the PMD
      // finishes, since we do not ask for checksum offloads.
      return fmt::format("{},iface={},client=0,queues={},tso=0", name, device.argument, queues);
    case DeviceKind::kVirtioUser:
      return fmt::format("{},path={},server=0,queues={},queue_size={},mac={}", name,
                         device.argument, queues, kVirtioQueueSize, mac.to_string());
  }
  return std::nullopt;
}

}  // namespace ballast
