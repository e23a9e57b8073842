// The Internet checksum (RFC 1071), whole and incremental (RFC 1624).
//
// Sums are taken over words in the order in which they lie in memory: a ones-complement sum does
// not care for byte order as long as it is stored the way it was loaded (RFC 1071 section 2 B).
// Everything is accumulated in 64 bits with end-around carry and folded to 16 at the end.
//
//   whole:        finish_checksum(sum_bytes(segment, length, pseudo_header_sum(source, destination,
//   kTcp, length))) incremental:  ChecksumDelta delta; delta.replace(old_address, new_address);
//   delta.replace(old_port, new_port);
//                 header->checksum = delta.apply(header->checksum);
//
// A delta depends on what is replaced only, so that one may be computed once for a connection, and
// serve the IPv4 header and the transport header of a packet alike.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "dataplane/packet/address.h"
#include "dataplane/packet/byte_order.h"
#include "dataplane/packet/numbers.h"

namespace ballast {

// A ones-complement sum on its way, not complemented yet.
class ChecksumSum {
 public:
  constexpr ChecksumSum() = default;

  constexpr void add(uint64_t word) {
    sum_ += word;
    sum_ += static_cast<uint64_t>(sum_ < word);  // end-around carry: add and adc
  }
  constexpr void add(Big16 word) { add(uint64_t{std::bit_cast<uint16_t>(word)}); }
  constexpr void add(Big32 word) { add(uint64_t{std::bit_cast<uint32_t>(word)}); }
  constexpr void add(IpAddress::V4Bytes address) {
    add(uint64_t{std::bit_cast<uint32_t>(address)});
  }
  constexpr void add(const IpAddress::V6Bytes& address) {
    struct Words {
      uint64_t low, high;
    };
    const auto words = std::bit_cast<Words>(address);
    add(words.low);
    add(words.high);
  }

  // 16 bits, in memory order, not complemented.
  [[nodiscard, gnu::always_inline]] constexpr uint16_t folded() const {
    // A word added to itself with its halves swapped holds their sum in the upper one, with the
    // carry of the lower one brought round.
    const auto half = static_cast<uint32_t>((sum_ + std::rotl(sum_, 32)) >> 32);
    return static_cast<uint16_t>((half + std::rotl(half, 16)) >> 16);
  }

 private:
  uint64_t sum_ = 0;
};

// Adds `length` bytes; of several pieces only the last may have an odd length. Reads nothing beyond
// them.
inline ChecksumSum sum_bytes(const void* data, size_t length, ChecksumSum sum = {}) {
  const auto* bytes = static_cast<const uint8_t*>(data);
  uint64_t word = 0;
  for (; length >= 32; length -= 32, bytes += 32) {
    for (size_t i = 0; i < 4; ++i) {
      std::memcpy(&word, bytes + i * 8, 8);
      sum.add(word);
    }
  }
  for (; length >= 8; length -= 8, bytes += 8) {
    std::memcpy(&word, bytes, 8);
    sum.add(word);
  }
  uint64_t tail = 0;
  if ((length & 4) != 0) {
    uint32_t part = 0;
    std::memcpy(&part, bytes, 4);
    tail += part;
    bytes += 4;
  }
  if ((length & 2) != 0) {
    uint16_t part = 0;
    std::memcpy(&part, bytes, 2);
    tail += part;
    bytes += 2;
  }
  if ((length & 1) != 0) {
    tail += *bytes;  // as if a zero byte followed
  }
  sum.add(tail);
  return sum;
}

// RFC 793 / RFC 9293 section 3.1. `length` counts the transport header and what is behind it.
inline ChecksumSum pseudo_header_sum(IpAddress::V4Bytes source, IpAddress::V4Bytes destination,
                                     IpProtocol protocol, uint16_t length) {
  ChecksumSum sum;
  sum.add(source);
  sum.add(destination);
  sum.add(Big16::from_host(static_cast<uint16_t>(protocol)));
  sum.add(Big16::from_host(length));
  return sum;
}

// RFC 8200 section 8.1. `protocol` is that of the transport, behind all extension headers.
inline ChecksumSum pseudo_header_sum(const IpAddress::V6Bytes& source,
                                     const IpAddress::V6Bytes& destination, IpProtocol protocol,
                                     uint32_t length) {
  ChecksumSum sum;
  sum.add(source);
  sum.add(destination);
  sum.add(Big32::from_host(length));
  sum.add(Big32::from_host(static_cast<uint32_t>(protocol)));
  return sum;
}

// Of either family, both of the same one. The mapped prefix ::ffff adds 0xffff, which is zero in
// this arithmetic.
inline ChecksumSum pseudo_header_sum(const IpAddress& source, const IpAddress& destination,
                                     IpProtocol protocol, uint32_t length) {
  return pseudo_header_sum(source.bytes(), destination.bytes(), protocol, length);
}

// What goes into the checksum field, which was zero (or left out) in the sum.
[[gnu::always_inline]] constexpr Big16 finish_checksum(ChecksumSum sum) {
  return std::bit_cast<Big16>(static_cast<uint16_t>(~sum.folded()));
}

// The same for UDP, where a sum of zero is sent as 0xffff, since 0 means "no checksum" (RFC 768).
constexpr Big16 finish_udp_checksum(ChecksumSum sum) {
  const Big16 checksum = finish_checksum(sum);
  return checksum == Big16{} ? Big16::from_host(0xffff) : checksum;
}

// A sum over data that contain their checksum field.
constexpr bool is_valid_checksum(ChecksumSum sum) {
  return sum.folded() == 0xffff;
}

// The sum of changes: ~m + m' for every replaced word (RFC 1624 equation 3). Replaced data must lie
// at even offsets of the summed bytes, as all header fields do.
class ChecksumDelta {
 public:
  constexpr ChecksumDelta() = default;

  constexpr void replace(Big16 before, Big16 after) {
    sum_.add(uint64_t{static_cast<uint16_t>(~std::bit_cast<uint16_t>(before))});
    sum_.add(after);
  }
  constexpr void replace(Big32 before, Big32 after) {
    sum_.add(uint64_t{~std::bit_cast<uint32_t>(before)});
    sum_.add(after);
  }
  constexpr void replace(IpAddress::V4Bytes before, IpAddress::V4Bytes after) {
    sum_.add(uint64_t{~std::bit_cast<uint32_t>(before)});
    sum_.add(after);
  }
  constexpr void replace(const IpAddress::V6Bytes& before, const IpAddress::V6Bytes& after) {
    struct Words {
      uint64_t low, high;
    };
    const auto words = std::bit_cast<Words>(before);
    sum_.add(~words.low);
    sum_.add(~words.high);
    sum_.add(after);
  }
  // Of either family; what lies in an IPv4 header changes by the same sum, since the mapped
  // prefixes cancel out.
  constexpr void replace(const IpAddress& before, const IpAddress& after) {
    replace(before.bytes(), after.bytes());
  }

  // Of changes that were added up as 64-bit numbers.
  constexpr void add_sum(uint64_t sum) { sum_.add(sum); }
  // All the changes of another one.
  constexpr void add(const ChecksumDelta& other) { sum_.add(uint64_t{other.folded()}); }

  // A word that lies across two words of the summed bytes, as in a TCP option that is not aligned:
  // its bytes count in each other's place (RFC 1071 section 2 B).
  constexpr void replace_at_odd_offset(Big16 before, Big16 after) {
    replace(swapped(before), swapped(after));
  }

  // HC' = ~(~HC + ~m + m').
  [[nodiscard, gnu::always_inline]] constexpr Big16 apply(Big16 checksum) const {
    ChecksumSum sum = sum_;
    sum.add(uint64_t{static_cast<uint16_t>(~std::bit_cast<uint16_t>(checksum))});
    return finish_checksum(sum);
  }
  // For UDP: "no checksum" stays so, and a result of 0 is written as 0xffff.
  [[nodiscard]] constexpr Big16 apply_udp(Big16 checksum) const {
    if (checksum == Big16{}) {
      return checksum;
    }
    const Big16 updated = apply(checksum);
    return updated == Big16{} ? Big16::from_host(0xffff) : updated;
  }

  // 16 bits that stand for this delta, to be kept with a connection; see from_folded().
  [[nodiscard]] constexpr uint16_t folded() const { return sum_.folded(); }
  static constexpr ChecksumDelta from_folded(uint16_t folded) {
    ChecksumDelta delta;
    delta.sum_.add(uint64_t{folded});
    return delta;
  }

 private:
  static constexpr Big16 swapped(Big16 word) {
    return std::bit_cast<Big16>(__builtin_bswap16(std::bit_cast<uint16_t>(word)));
  }

  ChecksumSum sum_;
};

// One field alone: Big16 (port, length, TTL with protocol), Big32, IPv4 or IPv6 address bytes,
// IpAddress.
template <typename Field>
[[nodiscard]] constexpr Big16 updated_checksum(Big16 checksum, const Field& before,
                                               const Field& after) {
  ChecksumDelta delta;
  delta.replace(before, after);
  return delta.apply(checksum);
}

}  // namespace ballast
