// The hashes of flows and servers for the consistent hash.
//
// They are part of what two nodes agree on, possibly in different versions, and must stay what they
// are: so they are written down here, apart from the connection table's flow_hash(), which may
// change with every version and has a secret key. The key here is public and fixed, digits of pi,
// as nothing may be up its sleeve.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "dataplane/packet/address.h"
#include "dataplane/packet/byte_order.h"
#include "dataplane/packet/flow_key.h"

namespace ballast {

// Multiply and fold, word by word, each under a word of the key; the last round spreads what the
// last word moved.
template <size_t kCount>
constexpr uint64_t maglev_hash(const std::array<uint64_t, kCount>& words) {
  constexpr std::array<uint64_t, 6> kKey{0x243f6a8885a308d3, 0x13198a2e03707344,
                                         0xa4093822299f31d0, 0x082efa98ec4e6c89,
                                         0x452821e638d01377, 0xbe5466cf34e90c6c};
  constexpr uint64_t kGoldenRatio = 0x9e3779b97f4a7c15;  // 2^64 / 1.618...
  static_assert(kCount < kKey.size());
  __extension__ using Product = unsigned __int128;
  const auto fold = [](uint64_t a, uint64_t b) {
    const Product product = static_cast<Product>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  };
  uint64_t hash = kCount;
  for (size_t i = 0; i < kCount; ++i) {
    hash = fold(hash ^ words[i] ^ kKey[i], kGoldenRatio);
  }
  return fold(hash ^ kKey[kCount], kGoldenRatio);
}

inline std::array<uint64_t, 2> words_of(const IpAddress& address) {
  return std::bit_cast<std::array<uint64_t, 2>>(address.bytes());
}

inline uint64_t maglev_hash(const FlowKey& flow) {
  const std::array<uint64_t, 2> client = words_of(flow.client);
  const std::array<uint64_t, 2> vip = words_of(flow.vip);
  return maglev_hash(std::array<uint64_t, 5>{client[0], client[1], vip[0], vip[1],
                                             uint64_t{flow.client_port.to_host()} << 32 |
                                                 uint64_t{flow.vip_port.to_host()} << 16 |
                                                 static_cast<uint64_t>(flow.protocol)});
}

// Of a server: its address and port are all that it is. Never its state, never its weight.
inline uint64_t maglev_hash(const IpAddress& address, Big16 port) {
  const std::array<uint64_t, 2> words = words_of(address);
  return maglev_hash(std::array<uint64_t, 3>{words[0], words[1], port.to_host()});
}

}  // namespace ballast
