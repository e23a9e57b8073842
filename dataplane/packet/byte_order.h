// Network byte order as a type.
//
// A field that lies in a packet in network order is a Big16 or a Big32; the only ways in and out
// are from_host() and to_host(), so that a forgotten or doubled swap does not compile. The types
// hold bytes only: alignment 1, to be laid over a frame at any offset.
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <cstring>

namespace ballast {

static_assert(std::endian::native == std::endian::little, "written for little-endian hosts");

template <typename Integer>
class BigEndian {
 public:
  constexpr BigEndian() = default;

  static constexpr BigEndian from_host(Integer value) {
    BigEndian result;
    result.bytes_ = std::bit_cast<Bytes>(swap(value));
    return result;
  }

  [[nodiscard]] constexpr Integer to_host() const { return swap(std::bit_cast<Integer>(bytes_)); }

  friend constexpr bool operator==(BigEndian, BigEndian) = default;
  friend constexpr std::strong_ordering operator<=>(BigEndian a, BigEndian b) {
    return a.to_host() <=> b.to_host();
  }

 private:
  using Bytes = std::array<uint8_t, sizeof(Integer)>;

  static constexpr Integer swap(Integer value) {
    if constexpr (sizeof(Integer) == 2) {
      return __builtin_bswap16(value);
    } else {
      return __builtin_bswap32(value);
    }
  }

  Bytes bytes_{};
};

using Big16 = BigEndian<uint16_t>;
using Big32 = BigEndian<uint32_t>;

static_assert(sizeof(Big16) == 2 && alignof(Big16) == 1);
static_assert(sizeof(Big32) == 4 && alignof(Big32) == 1);

}  // namespace ballast
