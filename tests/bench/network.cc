#include <cerrno>
#include <cstring>
#include <fstream>

#include <fmt/format.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <sched.h>

#include "tests/bench/addresses.h"
#include "tests/bench/director.h"

namespace ballast::bench {
namespace {

// What the sources keep going round, what waits in their caches, and what the workers take to look
// for frames of the twins.
constexpr unsigned kMbufs = 16'383;
constexpr unsigned kMbufCache = 256;
constexpr RssKey kRssKey{0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
                         0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
                         0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
                         0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

std::string device_name(size_t port) {
  return fmt::format("net_null{}", port);
}

// The ports' twins must not meet the interfaces of the machine, and vanish with the process.
tl::expected<void, std::string> leave_the_machines_network() {
  if (unshare(CLONE_NEWNET) != 0) {
    return tl::unexpected(
        fmt::format("cannot make a network namespace: {}: run as root", std::strerror(errno)));
  }
  // Else the kernel sends router solicitations on the twins.
  std::ofstream("/proc/sys/net/ipv6/conf/default/disable_ipv6") << "1";
  return {};
}

}  // namespace

std::vector<std::string> Network::vdevs(bool one_armed) {
  std::vector<std::string> vdevs{device_name(0)};
  if (!one_armed) {
    vdevs.push_back(device_name(1));
  }
  return vdevs;
}

Network::Network(uint16_t workers) : steering_(kRssKey, workers) {}

tl::expected<std::unique_ptr<Network>, std::string> Network::create(uint16_t workers,
                                                                    bool one_armed) {
  if (const auto done = leave_the_machines_network(); !done) {
    return tl::unexpected(done.error());
  }
  std::unique_ptr<Network> network(new Network(workers));
  network->pool_ = rte_pktmbuf_pool_create("frames", kMbufs, kMbufCache, 0,
                                           RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  if (network->pool_ == nullptr) {
    return tl::unexpected(fmt::format("no memory for {} packet buffers", kMbufs));
  }
  for (uint16_t worker = 0; worker < workers; ++worker) {
    network->sources_.push_back(
        std::make_unique<PacketSource>(*network->pool_, static_cast<WorkerIndex>(worker)));
  }
  if (const auto done = network->open_port("wan", kWanMac); !done) {
    return tl::unexpected(done.error());
  }
  if (!one_armed) {
    if (const auto done = network->open_port("lan", kLanMac); !done) {
      return tl::unexpected(done.error());
    }
  }
  network->connect_sources();
  return network;
}

tl::expected<void, std::string> Network::open_port(const std::string& name, const MacAddress& mac) {
  PortSettings settings;
  settings.name = name;
  auto port = Port::open(settings, Device{}, device_name(ports_.size()), mac, steering_, *pool_);
  if (!port) {
    return tl::unexpected(port.error());
  }
  auto twin = KernelTwin::attach(name, mac, (*port)->mtu());
  if (!twin) {
    return tl::unexpected(twin.error());
  }
  twin->set_carrier(true);
  ports_.push_back({std::move(*port), std::move(*twin)});
  return {};
}

// In place of the null driver's burst functions, once the devices run.
void Network::connect_sources() {
  attachments_.resize(ports_.size());
  queues_.resize(ports_.size());
  for (size_t port = 0; port < ports_.size(); ++port) {
    for (const auto& source : sources_) {
      attachments_[port].push_back({source.get(), port});
    }
    for (PacketSource::Attachment& attachment : attachments_[port]) {
      queues_[port].push_back(&attachment);
    }
    uint16_t id = 0;
    rte_eth_dev_get_port_by_name(device_name(port).c_str(), &id);
    struct rte_eth_fp_ops& functions = rte_eth_fp_ops[id];
    functions.rx_pkt_burst = &PacketSource::receive_burst;
    functions.rxq.data = queues_[port].data();
    functions.tx_pkt_burst = &PacketSource::transmit_burst;
    functions.txq.data = queues_[port].data();
  }
}

Network::~Network() {
  ports_.clear();
  sources_.clear();
  rte_mempool_free(pool_);
}

}  // namespace ballast::bench
