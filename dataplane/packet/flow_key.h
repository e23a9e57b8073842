// The identity of a flow, as its client sees it: from where, to which virtual address and port, by
// which protocol.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>

#include "dataplane/packet/address.h"
#include "dataplane/packet/byte_order.h"
#include "dataplane/packet/numbers.h"

namespace ballast {

// Canonical for both directions: `client` is always the side that opened the flow. 40 bytes without
// padding, so that it is compared and hashed as five 64-bit words.
struct alignas(8) FlowKey {
  IpAddress client;
  IpAddress vip;
  Big16 client_port;  // 0 where the protocol has no ports
  Big16 vip_port;
  IpProtocol protocol{};
  uint8_t zero[3] = {};

  // As one word: who hashes or compares the key next loads it as one, and would wait for fields
  // that were stored by themselves until they have left the store buffer.
  void set_ports_and_protocol(Big16 of_client, Big16 of_vip, IpProtocol transport) {
    const uint64_t word = uint64_t{std::bit_cast<uint16_t>(of_client)} |
                          uint64_t{std::bit_cast<uint16_t>(of_vip)} << 16 |
                          static_cast<uint64_t>(transport) << 32;
    std::memcpy(reinterpret_cast<uint8_t*>(this) + 2 * sizeof(IpAddress), &word, sizeof(word));
  }
  // All behind the addresses, as it lies in memory.
  [[nodiscard]] uint64_t ports_and_protocol() const {
    uint64_t word = 0;
    std::memcpy(&word, reinterpret_cast<const uint8_t*>(this) + 2 * sizeof(IpAddress),
                sizeof(word));
    return word;
  }

  friend bool operator==(const FlowKey& a, const FlowKey& b) {
    return __builtin_memcmp(&a, &b, sizeof(FlowKey)) == 0;
  }
  [[nodiscard]] std::string to_string() const;  // "tcp 198.51.100.7:40000 -> 192.0.2.10:80"
};
static_assert(sizeof(FlowKey) == 40);

// Secret of a process, drawn at start: without it nobody can choose flows that fall into one
// bucket.
struct FlowHashKey {
  uint64_t words[6];
};

// Keyed 64-bit hash of a flow (multiply and fold, in the manner of wyhash); every bit of the key
// moves every bit. Inlined by force: on the packet path the flow is in registers.
[[gnu::always_inline]] inline uint64_t flow_hash(const FlowKey& flow, const FlowHashKey& key) {
  __extension__ using Product = unsigned __int128;
  const auto fold = [](uint64_t a, uint64_t b) {
    const Product product = static_cast<Product>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  };
  const IpAddress::Words client = flow.client.words();
  const IpAddress::Words vip = flow.vip.words();
  const uint64_t rest = flow.ports_and_protocol();
  // The two addresses are folded side by side; ports and protocol join in a second round, and a
  // third one spreads what they moved.
  const uint64_t addresses = fold(client.first ^ key.words[0], client.second ^ key.words[1]) ^
                             fold(vip.first ^ key.words[2], vip.second ^ key.words[3]);
  const uint64_t ports = rest ^ key.words[4];
  return fold(fold(addresses ^ key.words[5], ports) ^ addresses, 0x9e3779b97f4a7c15U);
}

// The same of an address alone.
inline uint64_t address_hash(const IpAddress& address, const FlowHashKey& key) {
  FlowKey flow;
  flow.client = address;
  return flow_hash(flow, key);
}

}  // namespace ballast
