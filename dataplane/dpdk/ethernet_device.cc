#include "dataplane/dpdk/ethernet_device.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>
#include <net/if.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_spinlock.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane/dpdk/prepared_burst.h"
#include "dataplane/dpdk/rss_types.h"

namespace ballast {
namespace {

constexpr uint16_t kReceiveDescriptors = 1024;
constexpr uint16_t kTransmitDescriptors = 1024;
constexpr size_t kLongestKey = 52;
constexpr uint32_t kTag = sizeof(rte_vlan_hdr);
// Around the IP packet: Ethernet, two tags.
constexpr uint32_t kLongestLinkHeader = sizeof(rte_ether_hdr) + 2 * sizeof(rte_vlan_hdr);
// XDP keeps this free in front of a frame, in a buffer that it wants to fit into a page.
constexpr uint32_t kXdpHeadroom = 256;
constexpr uint32_t kPage = 4096;
constexpr uint32_t kLargestXdpMtu =
    kPage - 64 - sizeof(rte_mbuf) - RTE_PKTMBUF_HEADROOM - kXdpHeadroom - kLongestLinkHeader;

std::string failure(const std::string& port, std::string_view what, int error) {
  return fmt::format("port \"{}\": cannot {}: {}", port, what, std::strerror(-error));
}

tl::expected<uint16_t, std::string> find(const EthernetDeviceSettings& settings,
                                         const Device& device, const std::string& eal_name) {
  uint16_t id = 0;
  if (rte_eth_dev_get_port_by_name(eal_name.c_str(), &id) != 0) {
    return tl::unexpected(
        fmt::format("port \"{}\": DPDK found no device {}: its own lines above say why{}",
                    settings.port, eal_name,
                    device.kind == DeviceKind::kPci
                        ? "; is the NIC bound to vfio-pci (dpdk-devbind.py --status)?"
                        : ""));
  }
  return id;
}

tl::expected<rte_eth_dev_info, std::string> ask(const std::string& port, uint16_t id) {
  rte_eth_dev_info info{};
  if (const int error = rte_eth_dev_info_get(id, &info); error != 0) {
    return tl::unexpected(failure(port, "ask the device what it can do", error));
  }
  return info;
}

// What the device puts around an IP packet of max_mtu bytes, as DPDK works it out.
uint32_t link_overhead(const rte_eth_dev_info& info) {
  return info.max_mtu != UINT16_MAX && info.max_rx_pktlen > info.max_mtu
             ? info.max_rx_pktlen - info.max_mtu
             : RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;
}

// These PMDs name the length of an ordinary frame, and take what fits their buffers.
bool understates_its_limit(DeviceKind kind) {
  return kind == DeviceKind::kAfPacket || kind == DeviceKind::kMemif;
}

// The largest MTU that the device may be told.
uint32_t largest_mtu(const Device& device, const rte_eth_dev_info& info) {
  const uint32_t by_length = info.max_rx_pktlen - link_overhead(info);
  const uint32_t largest = std::min<uint32_t>(info.max_mtu, by_length);
  return device.kind == DeviceKind::kAfXdp ? std::min(largest, kLargestXdpMtu) : largest;
}

// What the device is told. A NIC that does not count a tag among its overhead would cut a tagged
// frame of full length; interfaces of the kernel do not count it as part of their MTU.
uint16_t device_mtu(const EthernetDeviceSettings& settings, const Device& device,
                    const rte_eth_dev_info& info) {
  const bool counts_tags = link_overhead(info) < RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN + kTag;
  const uint32_t wanted =
      settings.mtu + (settings.tagged && counts_tags && !device.is_virtual() ? kTag : 0);
  return static_cast<uint16_t>(std::min(wanted, largest_mtu(device, info)));
}

// Whether a frame that is longer than a buffer arrives in several.
bool receives_in_several_buffers(const Device& device, const rte_eth_dev_info& info) {
  return (info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER) != 0 ||
         device.kind == DeviceKind::kMemif || device.kind == DeviceKind::kVhost;
}

uint32_t whole_frame_buffer(const Device& device, uint16_t mtu) {
  const uint32_t frame = mtu + kLongestLinkHeader;
  switch (device.kind) {
    case DeviceKind::kAfPacket:  // the PMD asks for as much as a frame of its ring
      return RTE_PKTMBUF_HEADROOM + std::max(frame, af_packet_frame_size(mtu));
    case DeviceKind::kAfXdp:
      return RTE_PKTMBUF_HEADROOM + kXdpHeadroom + frame;
    default:
      return RTE_PKTMBUF_HEADROOM + frame;
  }
}

// Drivers may take less than they were told without a word.
uint64_t rss_types_of_device(uint16_t id, uint64_t requested) {
  rte_eth_rss_conf conf{};
  const bool reported = rte_eth_dev_rss_hash_conf_get(id, &conf) == 0;
  return granted_rss_types(requested, reported ? &conf.rss_hf : nullptr);
}

// 0 when it cannot be asked.
int mtu_of_interface(const std::string& name) {
  const int socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  const bool known = socket_fd >= 0 && ioctl(socket_fd, SIOCGIFMTU, &request) == 0;
  if (socket_fd >= 0) {
    close(socket_fd);
  }
  return known ? request.ifr_mtu : 0;
}

}  // namespace

struct alignas(64) EthernetDevice::SharedQueue {
  rte_spinlock_t lock = RTE_SPINLOCK_INITIALIZER;
};

EthernetDevice::EthernetDevice(rte_mempool& pool) : pool_(pool) {}

tl::expected<uint16_t, std::string> EthernetDevice::buffer_size(
    const EthernetDeviceSettings& settings, const Device& device, const std::string& eal_name) {
  const auto id = find(settings, device, eal_name);
  if (!id) {
    return tl::unexpected(id.error());
  }
  const auto info = ask(settings.port, *id);
  if (!info) {
    return tl::unexpected(info.error());
  }
  const uint32_t whole = whole_frame_buffer(device, settings.mtu);
  return static_cast<uint16_t>(whole <= RTE_MBUF_DEFAULT_BUF_SIZE ||
                                       receives_in_several_buffers(device, *info)
                                   ? RTE_MBUF_DEFAULT_BUF_SIZE
                                   : whole);
}

tl::expected<std::shared_ptr<EthernetDevice>, std::string> EthernetDevice::open(
    const EthernetDeviceSettings& settings, const Device& device, const std::string& eal_name,
    const Steering& steering, rte_mempool& pool) {
  const auto id = find(settings, device, eal_name);
  if (!id) {
    return tl::unexpected(id.error());
  }
  std::shared_ptr<EthernetDevice> ethernet(new EthernetDevice(pool));
  ethernet->id_ = *id;
  ethernet->port_ = settings.port;
  ethernet->device_ = device;
  ethernet->workers_ = steering.workers();
  ethernet->tagged_ = settings.tagged;
  if (const auto done = ethernet->configure(settings, steering); !done) {
    return tl::unexpected(done.error());
  }
  return ethernet;
}

void EthernetDevice::choose_queues(const EthernetDeviceSettings& settings,
                                   const rte_eth_dev_info& info) {
  const uint16_t wanted = settings.queues != 0 ? settings.queues : workers_;
  receive_queues_ = std::clamp<uint16_t>(wanted, 1, std::min(info.max_rx_queues, workers_));
  transmit_queues_ = std::clamp<uint16_t>(workers_, 1, std::max<uint16_t>(info.max_tx_queues, 1));
  if (device_.is_virtual()) {
    transmit_queues_ = std::min(transmit_queues_, std::max(receive_queues_, uint16_t{1}));
  }
}

void EthernetDevice::choose_offloads(const EthernetDeviceSettings& settings,
                                     const rte_eth_dev_info& info, rte_eth_conf& conf) {
  const bool long_frames =
      whole_frame_buffer(device_, settings.mtu) > rte_pktmbuf_data_room_size(&pool_);
  receives_in_several_ = long_frames && receives_in_several_buffers(device_, info);
  if (receives_in_several_) {
    conf.rxmode.offloads |= info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER;
  }
  // A NIC sends faster when it need not expect several; a virtual device does not care.
  const bool can_send_several = (info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS) != 0;
  sends_several_ =
      can_send_several && (settings.chained_frames || long_frames || device_.is_virtual());
  sends_single_buffers_only_ = !sends_several_ && (settings.chained_frames || long_frames);
  if (sends_several_) {
    conf.txmode.offloads |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
  }
  strips_tags_ = tagged_ && (info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_VLAN_STRIP) != 0;
  if (strips_tags_) {
    conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_VLAN_STRIP;
  }
  inserts_tags_ = tagged_ && (info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_VLAN_INSERT) != 0;
  if (inserts_tags_) {
    conf.txmode.offloads |= RTE_ETH_TX_OFFLOAD_VLAN_INSERT;
  }
}

tl::expected<void, std::string> EthernetDevice::configure(const EthernetDeviceSettings& settings,
                                                          const Steering& steering) {
  const auto info = ask(port_, id_);
  if (!info) {
    return tl::unexpected(info.error());
  }
  if (settings.mtu > largest_mtu(device_, *info) && !understates_its_limit(device_.kind)) {
    return tl::unexpected(fmt::format("port \"{}\": mtu: {}: the device takes at most {}", port_,
                                      settings.mtu, largest_mtu(device_, *info)));
  }
  choose_queues(settings, *info);
  rte_eth_conf conf{};
  choose_offloads(settings, *info, conf);
  const uint64_t hashes = info->flow_type_rss_offloads & wanted_rss_types();
  // Cards with longer keys use what is behind the first 40 bytes for tuples that we do not have.
  std::array<uint8_t, kLongestKey> key{};
  std::copy(steering.key().begin(), steering.key().end(), key.begin());
  rss_ = hashes != 0 && receive_queues_ > 1 && info->reta_size >= Steering::kIndirection &&
         info->hash_key_size <= key.size() && receive_queues_ == workers_;
  if (rss_) {
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rxmode.offloads |= info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_RSS_HASH;
    conf.rx_adv_conf.rss_conf = {
        .rss_key = key.data(), .rss_key_len = info->hash_key_size, .rss_hf = hashes};
  }
  conf.rxmode.mtu = device_mtu(settings, device_, *info);
  if (const int error = rte_eth_dev_configure(id_, receive_queues_, transmit_queues_, &conf);
      error != 0) {
    return tl::unexpected(failure(port_,
                                  fmt::format("configure {} receive and {} transmit queues",
                                              receive_queues_, transmit_queues_),
                                  error));
  }
  if (auto done = set_up_queues(); !done) {
    return done;
  }
  if (const int error = rte_eth_dev_start(id_); error != 0) {
    return tl::unexpected(failure(port_, "start the device", error));
  }
  rss_ = rss_ && program_indirection(info->reta_size);
  rss_types_ = rss_ ? rss_types_of_device(id_, hashes) : 0;
  hashes_for_us_ = hashes_as_we_do(rss_types_);
  // Devices that took it from the configuration refuse this harmlessly. One that was told less than
  // its ports have must not tell its interface.
  if (conf.rxmode.mtu >= settings.mtu) {
    rte_eth_dev_set_mtu(id_, static_cast<uint16_t>(conf.rxmode.mtu));
  }
  // The solicited-node groups of the VIPs and the node's own multicast.
  rte_eth_allmulticast_enable(id_);
  mac_filter_ = std::make_unique<MacFilter>(id_, device_.is_virtual());
  return check_interface(settings.mtu);
}

// Where the PMD cannot be told a larger MTU, the kernel interface must have it.
tl::expected<void, std::string> EthernetDevice::check_interface(uint16_t mtu) const {
  const std::string interface = device_.kernel_interface();
  const int theirs = interface.empty() ? 0 : mtu_of_interface(interface);
  if (theirs != 0 && theirs < mtu) {
    return tl::unexpected(
        fmt::format("port \"{}\": mtu: {}: its interface {} has {}: ip link set {} mtu {}", port_,
                    mtu, interface, theirs, interface, mtu));
  }
  return {};
}

tl::expected<void, std::string> EthernetDevice::set_up_queues() {
  uint16_t receive_descriptors = kReceiveDescriptors;
  uint16_t transmit_descriptors = kTransmitDescriptors;
  if (const int error =
          rte_eth_dev_adjust_nb_rx_tx_desc(id_, &receive_descriptors, &transmit_descriptors);
      error != 0) {
    return tl::unexpected(failure(port_, "agree on the length of its queues", error));
  }
  const auto socket = static_cast<unsigned>(std::max(rte_eth_dev_socket_id(id_), 0));
  for (uint16_t queue = 0; queue < receive_queues_; ++queue) {
    if (const int error =
            rte_eth_rx_queue_setup(id_, queue, receive_descriptors, socket, nullptr, &pool_);
        error != 0) {
      return tl::unexpected(failure(port_, fmt::format("set up receive queue {}", queue), error));
    }
  }
  for (uint16_t queue = 0; queue < transmit_queues_; ++queue) {
    if (const int error = rte_eth_tx_queue_setup(id_, queue, transmit_descriptors, socket, nullptr);
        error != 0) {
      return tl::unexpected(failure(port_, fmt::format("set up transmit queue {}", queue), error));
    }
  }
  if (transmit_queues_ < workers_) {
    for (uint16_t queue = 0; queue < transmit_queues_; ++queue) {
      shared_.push_back(std::make_unique<SharedQueue>());
    }
  }
  return {};
}

// Repeats the steering's table over the device's, so that both name the same worker for every hash.
bool EthernetDevice::program_indirection(uint16_t entries) const {
  if (entries % Steering::kIndirection != 0) {
    return false;
  }
  std::vector<rte_eth_rss_reta_entry64> table((entries + RTE_ETH_RETA_GROUP_SIZE - 1) /
                                              RTE_ETH_RETA_GROUP_SIZE);
  for (uint16_t entry = 0; entry < entries; ++entry) {
    rte_eth_rss_reta_entry64& group = table[entry / RTE_ETH_RETA_GROUP_SIZE];
    group.mask = UINT64_MAX;
    group.reta[entry % RTE_ETH_RETA_GROUP_SIZE] =
        static_cast<uint16_t>(entry % Steering::kIndirection % workers_);
  }
  return rte_eth_dev_rss_reta_update(id_, table.data(), entries) == 0;
}

EthernetDevice::~EthernetDevice() {
  if (id_ != kNoDevice) {
    rte_eth_dev_stop(id_);
    rte_eth_dev_close(id_);
  }
}

MacAddress EthernetDevice::mac() const {
  return mac_of_device(id_);
}

uint16_t EthernetDevice::receive(WorkerIndex worker, Burst& burst) const {
  return index(worker) < receive_queues_
             ? rte_eth_rx_burst(id_, index(worker), burst.data(), kBurst)
             : uint16_t{0};
}

Transmission EthernetDevice::transmit(WorkerIndex worker, rte_mbuf** frames, uint16_t count) {
  const auto queue =
      static_cast<uint16_t>(shared_.empty() ? index(worker) : index(worker) % transmit_queues_);
  // Some drivers do in rte_eth_tx_prepare() what they announce as an offload (virtio: the tag).
  const uint16_t ready = inserts_tags_
                             ? prepare_burst(frames, count,
                                             [&](rte_mbuf** rest, uint16_t of_rest) {
                                               return rte_eth_tx_prepare(id_, queue, rest, of_rest);
                                             })
                             : count;
  const auto refused = static_cast<uint16_t>(count - ready);
  if (shared_.empty()) {
    return {rte_eth_tx_burst(id_, queue, frames, ready), refused};
  }
  rte_spinlock_lock(&shared_[queue]->lock);
  const uint16_t sent = rte_eth_tx_burst(id_, queue, frames, ready);
  rte_spinlock_unlock(&shared_[queue]->lock);
  return {sent, refused};
}

bool EthernetDevice::link_is_up() const {
  rte_eth_link link{};
  return rte_eth_link_get_nowait(id_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

PortCounters EthernetDevice::counters() const {
  rte_eth_stats stats{};
  rte_eth_stats_get(id_, &stats);
  return {stats.ipackets, stats.ibytes,  stats.opackets, stats.obytes,
          stats.imissed,  stats.ierrors, stats.oerrors};
}

}  // namespace ballast
