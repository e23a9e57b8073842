#include "dataplane/dpdk/port.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>
#include <rte_ethdev.h>
#include <rte_spinlock.h>

namespace ballast {
namespace {

constexpr uint16_t kReceiveDescriptors = 1024;
constexpr uint16_t kTransmitDescriptors = 1024;
constexpr size_t kLongestKey = 52;
constexpr uint64_t kWantedRss = RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP |
                                RTE_ETH_RSS_NONFRAG_IPV6_TCP | RTE_ETH_RSS_NONFRAG_IPV6_UDP;

std::string failure(const std::string& port, std::string_view what, int error) {
  return fmt::format("port \"{}\": cannot {}: {}", port, what, std::strerror(-error));
}

rte_ether_addr for_dpdk(const MacAddress& mac) {
  rte_ether_addr address{};
  std::copy(mac.bytes().begin(), mac.bytes().end(), std::begin(address.addr_bytes));
  return address;
}

MacAddress mac_of_device(uint16_t id) {
  rte_ether_addr address{};
  rte_eth_macaddr_get(id, &address);
  MacAddress::Bytes bytes{};
  std::copy(std::begin(address.addr_bytes), std::end(address.addr_bytes), bytes.begin());
  return MacAddress(bytes);
}

}  // namespace

struct alignas(64) Port::SharedQueue {
  rte_spinlock_t lock = RTE_SPINLOCK_INITIALIZER;
};

tl::expected<std::unique_ptr<Port>, std::string> Port::open(
    const PortSettings& settings, const Device& device, const std::string& eal_name,
    const MacAddress& mac, const Steering& steering, rte_mempool& pool) {
  std::unique_ptr<Port> port(new Port);
  port->name_ = settings.name;
  port->device_ = device;
  port->mtu_ = settings.mtu;
  port->workers_ = steering.workers();
  uint16_t id = 0;
  if (rte_eth_dev_get_port_by_name(eal_name.c_str(), &id) != 0) {
    return tl::unexpected(
        fmt::format("port \"{}\": DPDK found no device {}: its own lines above say why{}",
                    settings.name, eal_name,
                    device.kind == DeviceKind::kPci
                        ? "; is the NIC bound to vfio-pci (dpdk-devbind.py --status)?"
                        : ""));
  }
  port->id_ = id;
  if (const auto done = port->configure(settings, steering, pool); !done) {
    return tl::unexpected(done.error());
  }
  port->mac_ = mac.is_zero() ? mac_of_device(id) : mac;
  return port;
}

tl::expected<void, std::string> Port::configure(const PortSettings& settings,
                                                const Steering& steering, rte_mempool& pool) {
  rte_eth_dev_info info{};
  if (const int error = rte_eth_dev_info_get(id_, &info); error != 0) {
    return tl::unexpected(failure(name_, "ask the device what it can do", error));
  }
  const uint16_t wanted = settings.queues != 0 ? settings.queues : workers_;
  receive_queues_ = std::clamp<uint16_t>(wanted, 1, std::min(info.max_rx_queues, workers_));
  transmit_queues_ = std::clamp<uint16_t>(workers_, 1, std::max<uint16_t>(info.max_tx_queues, 1));
  if (device_.is_virtual()) {
    transmit_queues_ = std::min(transmit_queues_, std::max(receive_queues_, uint16_t{1}));
  }
  rte_eth_conf conf{};
  const uint64_t hashes = info.flow_type_rss_offloads & kWantedRss;
  // Cards with longer keys use what is behind the first 40 bytes for tuples that we do not have.
  std::array<uint8_t, kLongestKey> key{};
  std::copy(steering.key().begin(), steering.key().end(), key.begin());
  rss_ = hashes != 0 && receive_queues_ > 1 && info.reta_size >= Steering::kIndirection &&
         info.hash_key_size <= key.size() && receive_queues_ == workers_;
  if (rss_) {
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rxmode.offloads = info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_RSS_HASH;
    conf.rx_adv_conf.rss_conf = {
        .rss_key = key.data(), .rss_key_len = info.hash_key_size, .rss_hf = hashes};
  }
  conf.rxmode.mtu = mtu_;
  if (const int error = rte_eth_dev_configure(id_, receive_queues_, transmit_queues_, &conf);
      error != 0) {
    return tl::unexpected(failure(name_,
                                  fmt::format("configure {} receive and {} transmit queues",
                                              receive_queues_, transmit_queues_),
                                  error));
  }
  if (auto done = set_up_queues(pool); !done) {
    return done;
  }
  if (const int error = rte_eth_dev_start(id_); error != 0) {
    return tl::unexpected(failure(name_, "start the device", error));
  }
  rss_ = rss_ && program_indirection(info.reta_size);
  rte_eth_dev_set_mtu(id_,
                      mtu_);  // devices that took it from the configuration refuse this harmlessly
  // The solicited-node groups of the VIPs and the node's own multicast.
  rte_eth_allmulticast_enable(id_);
  rte_eth_promiscuous_enable(id_);  // until accept_virtual_macs() has found out
  return {};
}

tl::expected<void, std::string> Port::set_up_queues(rte_mempool& pool) {
  uint16_t receive_descriptors = kReceiveDescriptors;
  uint16_t transmit_descriptors = kTransmitDescriptors;
  if (const int error =
          rte_eth_dev_adjust_nb_rx_tx_desc(id_, &receive_descriptors, &transmit_descriptors);
      error != 0) {
    return tl::unexpected(failure(name_, "agree on the length of its queues", error));
  }
  const auto socket = static_cast<unsigned>(std::max(rte_eth_dev_socket_id(id_), 0));
  for (uint16_t queue = 0; queue < receive_queues_; ++queue) {
    if (const int error =
            rte_eth_rx_queue_setup(id_, queue, receive_descriptors, socket, nullptr, &pool);
        error != 0) {
      return tl::unexpected(failure(name_, fmt::format("set up receive queue {}", queue), error));
    }
  }
  for (uint16_t queue = 0; queue < transmit_queues_; ++queue) {
    if (const int error = rte_eth_tx_queue_setup(id_, queue, transmit_descriptors, socket, nullptr);
        error != 0) {
      return tl::unexpected(failure(name_, fmt::format("set up transmit queue {}", queue), error));
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
bool Port::program_indirection(uint16_t entries) const {
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

Port::~Port() {
  if (id_ != kNoDevice) {
    rte_eth_dev_stop(id_);
    rte_eth_dev_close(id_);
  }
}

uint16_t Port::receive(WorkerIndex worker, Burst& burst) const {
  return index(worker) < receive_queues_
             ? rte_eth_rx_burst(id_, index(worker), burst.data(), kBurst)
             : uint16_t{0};
}

uint16_t Port::transmit(WorkerIndex worker, rte_mbuf** frames, uint16_t count) {
  if (shared_.empty()) {
    return rte_eth_tx_burst(id_, index(worker), frames, count);
  }
  const auto queue = static_cast<uint16_t>(index(worker) % transmit_queues_);
  rte_spinlock_lock(&shared_[queue]->lock);
  const uint16_t sent = rte_eth_tx_burst(id_, queue, frames, count);
  rte_spinlock_unlock(&shared_[queue]->lock);
  return sent;
}

bool Port::device_link_is_up() const {
  rte_eth_link link{};
  return rte_eth_link_get_nowait(id_, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

PortCounters Port::counters() const {
  rte_eth_stats stats{};
  rte_eth_stats_get(id_, &stats);
  return {stats.ipackets, stats.ibytes,  stats.opackets, stats.obytes,
          stats.imissed,  stats.ierrors, stats.oerrors};
}

int Port::add_to_filter(const MacAddress& mac) {
  rte_ether_addr address = for_dpdk(mac);
  const int error = rte_eth_dev_mac_addr_add(id_, &address, 0);
  if (error == 0) {
    filtered_.push_back(mac);
  }
  return error;
}

void Port::accept_virtual_macs(const std::vector<MacAddress>& macs) {
  std::vector<MacAddress> wanted = macs;
  if (const MacAddress device_mac = mac_of_device(id_); device_mac != mac_) {
    wanted.push_back(mac_);  // the port was configured with another than the device's
  }
  // Before anything is taken from the filter: no frame is lost while it changes.
  const bool as_it_is =
      std::is_permutation(wanted.begin(), wanted.end(), filtered_.begin(), filtered_.end());
  if (!promiscuous_ && !as_it_is) {
    promiscuous_ = rte_eth_promiscuous_enable(id_) == 0;
  }
  std::erase_if(filtered_, [&](const MacAddress& mac) {
    rte_ether_addr address = for_dpdk(mac);
    return std::find(wanted.begin(), wanted.end(), mac) == wanted.end() &&
           rte_eth_dev_mac_addr_remove(id_, &address) == 0;
  });
  filter_error_ = 0;
  for (const MacAddress& mac : wanted) {
    if (filter_error_ == 0 &&
        std::find(filtered_.begin(), filtered_.end(), mac) == filtered_.end()) {
      filter_error_ = add_to_filter(mac);
    }
  }
  // A virtual device that was asked for nothing may have no filter at all: it stays as it is.
  const bool may_filter = filter_error_ == 0 && (!wanted.empty() || !device_.is_virtual());
  if (may_filter && promiscuous_) {
    promiscuous_ = rte_eth_promiscuous_disable(id_) != 0;
  }
}

std::string Port::mac_filter_in_words() const {
  if (!promiscuous_) {
    return fmt::format("by the device, with {} more", filtered_.size());
  }
  if (filter_error_ != 0) {
    return fmt::format("promiscuous: the device takes no further MAC: {}",
                       std::strerror(-filter_error_));
  }
  return "promiscuous";
}

std::string Port::steering_in_words() const {
  if (workers_ == 1) {
    return "one worker";
  }
  if (rss_) {
    return "RSS by the NIC, with our key and indirection table";
  }
  if (receive_queues_ < workers_) {
    return fmt::format("by software: the device has {} receive queues for {} workers",
                       receive_queues_, workers_);
  }
  return "by software: the device does not hash as we do";
}

}  // namespace ballast
