// What changed bytes do to a checksum, the slow way: word by word, 16 bits at a time, after RFC
// 1624 equation 3. Shares no code with dataplane/packet/checksum.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "tests/unit/packet_builder.h"

namespace ballast::testing {

inline uint16_t reference_word(const Bytes& bytes, size_t at) {
  return static_cast<uint16_t>((bytes.at(at) << 8) | bytes.at(at + 1));
}
inline void put_reference_word(Bytes& bytes, size_t at, uint16_t word) {
  bytes.at(at) = static_cast<uint8_t>(word >> 8);
  bytes.at(at + 1) = static_cast<uint8_t>(word);
}

// The checksum after the bytes [first, first + length) of `before` have become those of `after`.
// `first` and `length` are even, counted from where the checksum's coverage begins. Where nothing
// has changed the checksum stays: 0xffff, which is as good as 0, as well.
inline uint16_t reference_update(uint16_t checksum, const Bytes& before, const Bytes& after,
                                 size_t first, size_t length) {
  const auto start = static_cast<std::ptrdiff_t>(first);
  const auto end = static_cast<std::ptrdiff_t>(first + length);
  if (std::equal(before.begin() + start, before.begin() + end, after.begin() + start)) {
    return checksum;
  }
  uint32_t sum = static_cast<uint16_t>(~checksum);
  for (size_t at = first; at < first + length; at += 2) {
    sum += static_cast<uint16_t>(~reference_word(before, at));
    sum = (sum & 0xffff) + (sum >> 16);
    sum += reference_word(after, at);
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<uint16_t>(~sum);
}

inline void put_address(Bytes& bytes, size_t at, const IpAddress& address) {
  const size_t skipped = address.is_v4() ? 12 : 0;
  std::memcpy(bytes.data() + at, address.bytes().data() + skipped, 16 - skipped);
}

}  // namespace ballast::testing
