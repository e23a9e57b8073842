// The smallest frames of a flow: 60 bytes (64 on the wire, with the checksum that a NIC adds), or
// what the headers need: 62 for UDP over IPv6, 74 for TCP over IPv6.
//
// All that flows have in common is a template, which lies in every buffer of the source already;
// write() sets what the balancer changed and what differs from flow to flow. Transport checksums
// are the same in all frames, and not right: the balancer changes them by differences, and looks at
// none.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "dataplane/packet/address.h"
#include "dataplane/packet/numbers.h"
#include "tests/bench/flow_book.h"

namespace ballast::bench {

// What the balancer leaves of a frame that comes back to its source.
enum class Leaves : uint8_t {
  kAllButEthernet,  // DR, TUN
  kNothing,         // NAT, FULLNAT: addresses, ports, TTL and checksums were others'
};

struct FrameShape {
  Family family = Family::kIpv4;
  IpProtocol protocol = IpProtocol::kTcp;
  Leaves leaves = Leaves::kAllButEthernet;
};

// A flow's client: 10.0.0.0 or 2001:db8:ffff::a00:0 and up, 256 ports each.
inline constexpr uint32_t kFirstClient = 0x0a000000;
inline constexpr uint16_t kFirstClientPort = 32768;
constexpr uint32_t client_of(uint32_t number) {
  return kFirstClient + (number >> 8U);
}
constexpr uint16_t client_port_of(uint32_t number) {
  return static_cast<uint16_t>(kFirstClientPort + (number & 0xffU));
}

// TCP: the SYN has the client's or the server's first number, what follows it the next one.
inline constexpr uint32_t kClientSequence = 1000;
inline constexpr uint32_t kServerSequence = 5000;
inline constexpr uint8_t kSynFlag = 0x02;

using FrameBytes = std::array<uint8_t, 80>;

// Of the template: the sum of an IPv4 header without checksum, for the checksum once the addresses
// are in.
uint32_t sum_of_ipv4_header(const FrameBytes& frame);
constexpr uint16_t folded(uint32_t sum) {
  sum = (sum & 0xffffU) + (sum >> 16U);
  return static_cast<uint16_t>((sum & 0xffffU) + (sum >> 16U));
}

// From clients.
class FrameWriter {
 public:
  static constexpr size_t kRoom = sizeof(FrameBytes);

  explicit FrameWriter(FrameShape shape);

  [[nodiscard]] uint16_t size() const { return size_; }
  [[nodiscard]] const FrameShape& shape() const { return shape_; }
  // All of it, for a buffer that may hold anything.
  void write_template(uint8_t* frame) const { std::memcpy(frame, template_.data(), kRoom); }

  // In a buffer that holds the template, but for what the balancer changed.
  template <Family kFamily, IpProtocol kProtocol, Leaves kLeaves = Leaves::kAllButEthernet>
  void write(uint8_t* frame, uint32_t number, uint8_t flags) const {
    constexpr bool kV4 = kFamily == Family::kIpv4;
    constexpr size_t kClientEnd = kV4 ? 30 : 38;
    constexpr size_t kPorts = kV4 ? 34 : 54;
    constexpr size_t kChanged = kLeaves == Leaves::kAllButEthernet ? 16 : (kV4 ? 64 : 80);
    std::memcpy(frame, template_.data(), kChanged);
    const uint32_t client = __builtin_bswap32(client_of(number));
    if constexpr (kV4) {
      // Checksum, client and half of the VIP in one store.
      const uint16_t sum = folded(checksum_base_ + (client & 0xffffU) + (client >> 16U));
      const uint64_t word = (~uint32_t{sum} & 0xffffU) | uint64_t{client} << 16U | vip_half_;
      std::memcpy(frame + kClientEnd - 6, &word, sizeof(word));
    } else {
      std::memcpy(frame + kClientEnd - 4, &client, sizeof(client));
    }
    const uint16_t port = __builtin_bswap16(client_port_of(number));
    std::memcpy(frame + kPorts, &port, sizeof(port));
    if constexpr (kProtocol == IpProtocol::kTcp) {
      const uint32_t sequence = __builtin_bswap32(kClientSequence + (flags == kSynFlag ? 0 : 1));
      std::memcpy(frame + kPorts + 4, &sequence, sizeof(sequence));
      frame[kPorts + 13] = flags;
    }
  }

 private:
  FrameShape shape_;
  uint16_t size_ = 0;
  uint32_t checksum_base_ = 0;  // of the IPv4 header without client, as it lies in memory
  uint64_t vip_half_ = 0;       // the VIP's first two bytes, behind the client's address
  alignas(16) FrameBytes template_{};
};

// From servers, in NAT and FULLNAT: to where the balancer's frames came from.
class ReplyWriter {
 public:
  // `to_local`: FULLNAT, else to the client itself.
  ReplyWriter(FrameShape shape, bool to_local);

  [[nodiscard]] uint16_t size() const { return size_; }
  [[nodiscard]] const FrameShape& shape() const { return shape_; }
  void write_template(uint8_t* frame) const {
    std::memcpy(frame, template_.data(), sizeof(FrameBytes));
  }

  template <Family kFamily, IpProtocol kProtocol>
  void write(uint8_t* frame, uint32_t number, const Destination& flow, uint8_t flags) const {
    constexpr bool kV4 = kFamily == Family::kIpv4;
    constexpr size_t kAddressesEnd = kV4 ? 34 : 54;
    std::memcpy(frame, template_.data(), kV4 ? 64 : 80);
    const uint32_t client = client_of(number);
    const uint32_t peer = __builtin_bswap32(to_local_ ? first_local_ + flow.local : client);
    const uint32_t server = __builtin_bswap32(first_server_ + flow.server);
    frame[11] = flow.server;  // of its MAC
    if constexpr (kV4) {
      const uint16_t sum = folded(checksum_base_ + (server & 0xffffU) + (server >> 16U) +
                                  (peer & 0xffffU) + (peer >> 16U));
      const auto checksum = static_cast<uint16_t>(~sum);
      const uint64_t addresses = uint64_t{server} | uint64_t{peer} << 32U;
      std::memcpy(frame + kAddressesEnd - 10, &checksum, sizeof(checksum));
      std::memcpy(frame + kAddressesEnd - 8, &addresses, sizeof(addresses));
    } else {
      std::memcpy(frame + kAddressesEnd - 20, &server, sizeof(server));
      std::memcpy(frame + kAddressesEnd - 4, &peer, sizeof(peer));
    }
    const uint16_t port = __builtin_bswap16(to_local_ ? flow.port : client_port_of(number));
    std::memcpy(frame + kAddressesEnd + 2, &port, sizeof(port));
    if constexpr (kProtocol == IpProtocol::kTcp) {
      const uint32_t sequence =
          __builtin_bswap32(kServerSequence + ((flags & kSynFlag) != 0 ? 0 : 1));
      std::memcpy(frame + kAddressesEnd + 4, &sequence, sizeof(sequence));
      frame[kAddressesEnd + 13] = flags;
    }
  }

 private:
  FrameShape shape_;
  bool to_local_;
  uint16_t size_ = 0;
  uint32_t first_local_ = 0;  // the last four bytes of the addresses before the first ones
  uint32_t first_server_ = 0;
  uint32_t checksum_base_ = 0;  // of the IPv4 header without addresses
  alignas(16) FrameBytes template_{};
};

}  // namespace ballast::bench
