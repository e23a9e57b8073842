#include "dataplane/packet/toeplitz.h"

#include <bit>
#include <cassert>

namespace ballast {
namespace {

// How many of the 16 bytes of an address are not hashed: the mapped prefix of IPv4.
size_t skipped_bytes(const IpAddress& address) {
  return address.is_v4() ? 12 : 0;
}

}  // namespace

ToeplitzHash::ToeplitzHash(std::span<const uint8_t> key) : table_{} {
  assert(key.size() >= kRssKeyLength);
  for (size_t position = 0; position < kInputLength; ++position) {
    // The 40 bits of the key that an input byte at this position can see.
    uint64_t window = 0;
    for (size_t i = 0; i < 5; ++i) {
      window = window << 8 | key[position + i];
    }
    for (size_t value = 1; value < 256; ++value) {
      // All bits but the lowest are in the table already; bit 7 sees the window's first 32 bits.
      const auto lowest = static_cast<unsigned>(std::countr_zero(value));
      table_[position][value] =
          table_[position][value & (value - 1)] ^ static_cast<uint32_t>(window >> (lowest + 1));
    }
  }
}

uint32_t ToeplitzHash::hash_addresses(const IpAddress& source, const IpAddress& destination,
                                      size_t skipped) const {
  const size_t length = source.bytes().size() - skipped;
  uint32_t result = 0;
  for (size_t i = 0; i < length; ++i) {
    result ^= table_[i][source.bytes()[skipped + i]];
    result ^= table_[length + i][destination.bytes()[skipped + i]];
  }
  return result;
}

uint32_t ToeplitzHash::hash(const IpAddress& source, const IpAddress& destination) const {
  return hash_addresses(source, destination, skipped_bytes(source));
}

uint32_t ToeplitzHash::hash(const IpAddress& source, const IpAddress& destination,
                            Big16 source_port, Big16 destination_port) const {
  const size_t skipped = skipped_bytes(source);
  const auto first = std::bit_cast<std::array<uint8_t, 2>>(source_port);
  const auto second = std::bit_cast<std::array<uint8_t, 2>>(destination_port);
  const auto* tables = &table_[2 * (source.bytes().size() - skipped)];
  return hash_addresses(source, destination, skipped) ^ tables[0][first[0]] ^ tables[1][first[1]] ^
         tables[2][second[0]] ^ tables[3][second[1]];
}

uint32_t ToeplitzHash::hash_source(const IpAddress& source, Big16 source_port) const {
  const size_t skipped = skipped_bytes(source);
  const size_t length = source.bytes().size() - skipped;
  const auto port = std::bit_cast<std::array<uint8_t, 2>>(source_port);
  uint32_t result = table_[2 * length][port[0]] ^ table_[2 * length + 1][port[1]];
  for (size_t i = 0; i < length; ++i) {
    result ^= table_[i][source.bytes()[skipped + i]];
  }
  return result;
}

}  // namespace ballast
