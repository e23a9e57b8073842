#include "tests/unit/dpdk/eal_fixture.h"

#include <atomic>

#include <fmt/format.h>
#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <unistd.h>

namespace ballast::test {
namespace {

bool start_eal() {
  std::vector<std::string> arguments{"dpdk_test",
                                     "--no-huge",
                                     "--no-shconf",
                                     "--no-pci",
                                     "--no-telemetry",
                                     "-m",
                                     "128",
                                     "--lcores",
                                     "0@0",
                                     "--log-level=*:error",
                                     "--file-prefix",
                                     fmt::format("ballast-test-{}", getpid())};
  std::vector<char*> raw;
  raw.reserve(arguments.size());
  for (std::string& argument : arguments) {
    raw.push_back(argument.data());
  }
  if (rte_eal_init(static_cast<int>(raw.size()), raw.data()) < 0) {
    return false;
  }
  rmdir(rte_eal_get_runtime_dir());  // which nothing uses with --no-shconf
  return true;
}

rte_mempool* start_eal_and_make_pool(unsigned size) {
  return start_eal() ? rte_pktmbuf_pool_create("test-frames", size, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
                                               SOCKET_ID_ANY)
                     : nullptr;
}

Ring make_ring(const std::string& name) {
  return Ring(rte_ring_create(name.c_str(), 1024, 0, 0));
}

}  // namespace

rte_mempool& EalTest::pool() {
  static rte_mempool* const kPool = start_eal_and_make_pool(kPoolSize);
  return *kPool;
}

void EalTest::SetUpTestSuite() {
  ASSERT_NE(&pool(), nullptr) << "DPDK did not start";
}

Mbuf EalTest::mbuf_of(const Bytes& bytes, size_t segment) {
  Mbuf whole;
  size_t taken = 0;
  do {
    Mbuf piece(rte_pktmbuf_alloc(&pool()));
    const size_t length =
        std::min({bytes.size() - taken, segment, size_t{rte_pktmbuf_tailroom(piece.get())}});
    std::memcpy(rte_pktmbuf_append(piece.get(), static_cast<uint16_t>(length)),
                bytes.data() + taken, length);
    taken += length;
    if (!whole) {
      whole = std::move(piece);
    } else {
      EXPECT_EQ(rte_pktmbuf_chain(whole.get(), piece.release()), 0);
    }
  } while (taken < bytes.size());
  return whole;
}

Frame EalTest::frame_of(const rte_mbuf& mbuf) {
  Frame frame{Bytes(rte_pktmbuf_pkt_len(&mbuf))};
  const void* bytes = rte_pktmbuf_read(&mbuf, 0, rte_pktmbuf_pkt_len(&mbuf), frame.bytes.data());
  EXPECT_NE(bytes, nullptr);
  if (bytes != nullptr && bytes != frame.bytes.data()) {
    std::memcpy(frame.bytes.data(), bytes, frame.size());
  }
  return frame;
}

RingDevice::RingDevice(uint16_t queues) {
  static std::atomic<unsigned> number{0};
  const std::string name = fmt::format("test{}", number++);
  std::vector<rte_ring*> receive;
  std::vector<rte_ring*> transmit;
  for (uint16_t queue = 0; queue < queues; ++queue) {
    to_us_.push_back(make_ring(fmt::format("{}-to-{}", name, queue)));
    from_us_.push_back(make_ring(fmt::format("{}-from-{}", name, queue)));
    receive.push_back(to_us_.back().get());
    transmit.push_back(from_us_.back().get());
  }
  const int port =
      rte_eth_from_rings(name.c_str(), receive.data(), queues, transmit.data(), queues, 0);
  EXPECT_GE(port, 0);
  port_ = static_cast<uint16_t>(port);
  std::array<char, RTE_ETH_NAME_MAX_LEN> device{};
  EXPECT_EQ(rte_eth_dev_get_name_by_port(port_, device.data()), 0);
  name_ = device.data();
}

RingDevice::~RingDevice() {
  static_cast<void>(take_sent());
  for (const Ring& ring : to_us_) {
    void* frame = nullptr;
    while (rte_ring_dequeue(ring.get(), &frame) == 0) {
      rte_pktmbuf_free(static_cast<rte_mbuf*>(frame));
    }
  }
  if (rte_eth_dev_is_valid_port(port_) != 0) {  // else a Port on it has closed it
    rte_eth_dev_stop(port_);
    rte_eth_dev_close(port_);
  }
}

void RingDevice::give(Mbuf frame, uint16_t queue) {
  ASSERT_EQ(rte_ring_enqueue(to_us_[queue].get(), frame.get()), 0);
  static_cast<void>(frame.release());
}

std::vector<Mbuf> RingDevice::take_sent() {
  std::vector<Mbuf> sent;
  for (const Ring& ring : from_us_) {
    void* frame = nullptr;
    while (rte_ring_dequeue(ring.get(), &frame) == 0) {
      sent.emplace_back(static_cast<rte_mbuf*>(frame));
    }
  }
  return sent;
}

}  // namespace ballast::test
