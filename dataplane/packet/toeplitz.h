// The Toeplitz hash by which network cards spread flows over their receive queues (RSS).
//
// Defined by Microsoft's "RSS hashing types": the input is source address, destination address,
// and, for types with ports, source port and destination port, in network order; for every input
// bit that is set, the 32 bits of the key that begin at the bit's position are XORed into the
// result. What a NIC has hashed with the same key needs no software; this is for the packets that
// it did not hash: later fragments, tuples quoted by ICMP errors, devices without RSS.
//
// The hash is linear, so that each input byte contributes independently of the others: one table of
// 256 words for each of the 36 byte positions, one load and one XOR for each byte. IPv4 touches 12
// KiB of them, IPv6 36 KiB.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/packet/address.h"
#include "dataplane/packet/byte_order.h"

namespace ballast {

// A key covers its own length minus 4 bytes of input. 40 bytes cover the longest tuple (IPv6 with
// ports, 36 bytes); cards with keys of 52 bytes (i40e, ice) use the first 40 of them for the tuples
// here.
inline constexpr size_t kRssKeyLength = 40;
using RssKey = std::array<uint8_t, kRssKeyLength>;

// The key of Microsoft's verification suite, which most drivers have as their default.
inline constexpr RssKey kMicrosoftRssKey{
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
    0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
    0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

// Immutable after construction; shared by workers.
class ToeplitzHash {
 public:
  // `key` has at least kRssKeyLength bytes; what is behind them does not count.
  explicit ToeplitzHash(std::span<const uint8_t> key);

  // Both addresses are of one family.
  [[nodiscard]] uint32_t hash(const IpAddress& source, const IpAddress& destination) const;
  [[nodiscard]] uint32_t hash(const IpAddress& source, const IpAddress& destination,
                              Big16 source_port, Big16 destination_port) const;
  // Of the source's half alone, in its place: the destination and its port count as zero.
  [[nodiscard]] uint32_t hash_source(const IpAddress& source, Big16 source_port) const;

 private:
  static constexpr size_t kInputLength = kRssKeyLength - 4;

  [[nodiscard]] uint32_t hash_addresses(const IpAddress& source, const IpAddress& destination,
                                        size_t skipped) const;

  std::array<std::array<uint32_t, 256>, kInputLength> table_;
};

}  // namespace ballast
