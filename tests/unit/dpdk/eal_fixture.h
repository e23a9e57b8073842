// DPDK for tests: EAL without hugepages and devices, started once, a pool of frames, and devices
// made of rings.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "tests/unit/packet_builder.h"

namespace ballast::test {

using testing::Bytes;
using testing::Frame;

struct FreeMbuf {
  void operator()(rte_mbuf* frame) const { rte_pktmbuf_free(frame); }
};
using Mbuf = std::unique_ptr<rte_mbuf, FreeMbuf>;

struct FreeRing {
  void operator()(rte_ring* ring) const { rte_ring_free(ring); }
};
using Ring = std::unique_ptr<rte_ring, FreeRing>;

// A test suite that needs EAL. Every test must have given back the mbufs that it took.
class EalTest : public ::testing::Test {
 protected:
  static constexpr unsigned kPoolSize = 2047;

  static void SetUpTestSuite();
  void TearDown() override { EXPECT_EQ(rte_mempool_avail_count(&pool()), kPoolSize); }

  static rte_mempool& pool();

  // The frame in segments of at most `segment` bytes.
  static Mbuf mbuf_of(const Bytes& bytes, size_t segment = SIZE_MAX);
  static Mbuf mbuf_of(const Frame& frame, size_t segment = SIZE_MAX) {
    return mbuf_of(frame.bytes, segment);
  }
  static Frame frame_of(const rte_mbuf& mbuf);
};

// A device that gives what is put into `to_us` and puts into `from_us` what it is told to send.
class RingDevice {
 public:
  explicit RingDevice(uint16_t queues = 1);
  ~RingDevice();
  RingDevice(const RingDevice&) = delete;
  RingDevice& operator=(const RingDevice&) = delete;

  [[nodiscard]] const std::string& eal_name() const { return name_; }
  void give(Mbuf frame, uint16_t queue = 0);
  // What was sent on any queue, in order of the queues.
  [[nodiscard]] std::vector<Mbuf> take_sent();

 private:
  std::string name_;
  std::vector<Ring> to_us_;
  std::vector<Ring> from_us_;
  uint16_t port_ = 0;
};

}  // namespace ballast::test
