// Open addressing over a power of two slots, for tables that are built once and only read
// afterwards.
//
// A slot holds the subscript of an element plus one, or 0; the elements lie in a vector of their
// own. At most half of the slots are taken, collisions go to the next slot, so that a lookup reads
// one or two cache lines of slots, and an element only when a slot is taken. Keys come from the
// configuration, not from the network: the hash need not be secret.
#pragma once

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstdint>
#include <cstring>
#include <vector>

#include "dataplane/packet/address.h"

namespace ballast {

// Multiply and fold: every bit of the input moves every bit of the product's halves.
inline uint64_t hash_address(const IpAddress& address, uint64_t more = 0) {
  uint64_t high = 0;
  uint64_t low = 0;
  std::memcpy(&high, address.bytes().data(), 8);
  std::memcpy(&low, address.bytes().data() + 8, 8);
  __extension__ using Wide = unsigned __int128;
  const auto fold = [](uint64_t a, uint64_t b) {
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  };
  const uint64_t first = fold(high ^ 0xa0761d6478bd642fULL, low ^ 0xe7037ed1a0b428dbULL);
  return fold(first ^ more ^ 0x8ebc6af09c88c6e3ULL, 0x589965cc75374cc3ULL);
}

// The subscript plus one of the element for which `is_key(subscript)` holds among those of this
// hash; 0 when there is none. Ends because at least one slot is empty.
template <typename IsKey>
uint32_t find_in_slots(const std::vector<uint32_t>& slots, uint64_t hash, IsKey is_key) {
  const size_t mask = slots.size() - 1;
  for (size_t slot = hash & mask; slots[slot] != 0; slot = (slot + 1) & mask) {
    if (is_key(slots[slot] - 1)) {
      return slots[slot];
    }
  }
  return 0;
}

// Slots over elements 0..count-1. No two have the same key.
template <typename HashOf>
std::vector<uint32_t> make_slots(size_t count, HashOf hash_of) {
  assert(count < (size_t{1} << 31));
  std::vector<uint32_t> slots(std::bit_ceil(std::max<size_t>(2 * count, 2)), 0);
  const size_t mask = slots.size() - 1;
  for (uint32_t i = 0; i < count; ++i) {
    size_t slot = hash_of(i) & mask;
    while (slots[slot] != 0) {
      slot = (slot + 1) & mask;
    }
    slots[slot] = i + 1;
  }
  return slots;
}

}  // namespace ballast
