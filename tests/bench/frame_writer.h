// The smallest frames of a flow: 60 bytes (64 on the wire, with the checksum that a NIC adds), or
// what the headers need: 62 for UDP over IPv6, 74 for TCP over IPv6.
//
// All that flows have in common is a template, which lies in every buffer of the source already;
// write() sets what the balancer changed and what differs from flow to flow. Transport checksums
// are 0: direct routing does not look at them.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "dataplane/packet/address.h"
#include "dataplane/packet/numbers.h"

namespace ballast::bench {

struct FrameShape {
  Family family = Family::kIpv4;
  IpProtocol protocol = IpProtocol::kTcp;
};

class FrameWriter {
 public:
  static constexpr size_t kRoom = 80;

  FrameWriter(FrameShape shape, const MacAddress& source, const MacAddress& destination);

  [[nodiscard]] uint16_t size() const { return size_; }
  [[nodiscard]] const FrameShape& shape() const { return shape_; }
  // All of it, for a buffer that may hold anything.
  void write_template(uint8_t* frame) const { std::memcpy(frame, template_.data(), kRoom); }

  // In a buffer that holds the template.
  template <Family kFamily, IpProtocol kProtocol>
  void write(uint8_t* frame, uint32_t number, uint8_t flags) const {
    constexpr bool kV4 = kFamily == Family::kIpv4;
    constexpr size_t kClientEnd = kV4 ? 30 : 38;
    constexpr size_t kPorts = kV4 ? 34 : 54;
    std::memcpy(frame, template_.data(), 16);
    const uint32_t client = __builtin_bswap32(kFirstClient + (number >> 8U));
    if constexpr (kV4) {
      // Checksum, client and half of the VIP in one store.
      uint32_t sum = checksum_base_ + (client & 0xffffU) + (client >> 16U);
      sum = (sum & 0xffffU) + (sum >> 16U);
      sum = (sum & 0xffffU) + (sum >> 16U);
      const uint64_t word = (~sum & 0xffffU) | uint64_t{client} << 16U | vip_half_;
      std::memcpy(frame + kClientEnd - 6, &word, sizeof(word));
    } else {
      std::memcpy(frame + kClientEnd - 4, &client, sizeof(client));
    }
    const uint16_t port = __builtin_bswap16(static_cast<uint16_t>(kFirstPort + (number & 0xffU)));
    std::memcpy(frame + kPorts, &port, sizeof(port));
    if constexpr (kProtocol == IpProtocol::kTcp) {
      // The SYN has sequence number kSequence, what follows it the next one.
      const uint32_t sequence = __builtin_bswap32(kSequence + (flags == kSynFlag ? 0 : 1));
      std::memcpy(frame + kPorts + 4, &sequence, sizeof(sequence));
      frame[kPorts + 13] = flags;
    }
  }

 private:
  static constexpr uint32_t kFirstClient = 0x0a000000;  // 10.0.0.0
  static constexpr uint16_t kFirstPort = 32768;
  static constexpr uint32_t kSequence = 1000;
  static constexpr uint8_t kSynFlag = 0x02;

  void write_ipv4();
  void write_ipv6();

  FrameShape shape_;
  uint16_t size_ = 0;
  uint32_t checksum_base_ = 0;  // of the IPv4 header without client, as it lies in memory
  uint64_t vip_half_ = 0;       // the VIP's first two bytes, behind the client's address
  alignas(16) std::array<uint8_t, kRoom> template_{};
};

}  // namespace ballast::bench
