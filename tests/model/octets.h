// Bytes as the model reads and writes them: slowly, and knowing nothing of the dataplane's headers.
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/packet/address.h"
#include "tests/unit/packet_builder.h"

namespace ballast::model {

using testing::Bytes;

[[nodiscard]] uint16_t get16(const Bytes& bytes, size_t at);
[[nodiscard]] uint32_t get32(const Bytes& bytes, size_t at);
void put16(Bytes& bytes, size_t at, uint16_t value);
void put32(Bytes& bytes, size_t at, uint32_t value);
[[nodiscard]] IpAddress get_address(const Bytes& bytes, size_t at, Family family);
void put_address(Bytes& bytes, size_t at, const IpAddress& address);
[[nodiscard]] MacAddress get_mac(const Bytes& bytes, size_t at);
void put_mac(Bytes& bytes, size_t at, const MacAddress& mac);

// The sum of 16-bit words of RFC 1071, folded: of bytes [from, to), an odd last one padded by zero.
[[nodiscard]] uint16_t ones_sum(const Bytes& bytes, size_t from, size_t to);
[[nodiscard]] uint16_t ones_add(uint16_t a, uint16_t b);
[[nodiscard]] uint16_t ones_subtract(uint16_t a, uint16_t b);
// Of the pseudo header (RFC 9293 section 3.1, RFC 8200 section 8.1).
[[nodiscard]] uint16_t pseudo_sum(const IpAddress& source, const IpAddress& destination,
                                  uint8_t protocol, uint32_t length);

}  // namespace ballast::model
