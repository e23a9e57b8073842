// Addresses of the two families and of Ethernet, as values.
//
// An IpAddress is always 16 bytes in network order; an IPv4 address is held in its IPv4-mapped form
// (::ffff:a.b.c.d, RFC 4291 section 2.5.5.2), so that tables, keys and hashes have one shape for
// both families. An IPv4-mapped address that arrives inside an IPv6 packet is refused by the parser
// and never becomes a value here.
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace ballast {

enum class Family : uint8_t { kIpv4 = 4, kIpv6 = 6 };

class IpAddress {
 public:
  using V4Bytes = std::array<uint8_t, 4>;
  using V6Bytes = std::array<uint8_t, 16>;

  constexpr IpAddress() = default;  // "::", the unspecified address

  static constexpr IpAddress v4(V4Bytes bytes) {
    return IpAddress(
        std::bit_cast<V6Bytes>(Words{0, kMapped | uint64_t{std::bit_cast<uint32_t>(bytes)} << 32}));
  }
  static constexpr IpAddress v6(V6Bytes bytes) { return IpAddress(bytes); }

  // Accepts what inet_pton(3) accepts, except IPv4-mapped IPv6; no prefix length, no zone.
  static std::optional<IpAddress> parse(std::string_view text);

  [[nodiscard]] bool is_v4() const {
    const Words all = words();
    return (all.first | ((all.second & 0xffffffffU) ^ kMapped)) == 0;
  }
  [[nodiscard]] bool is_v6() const { return !is_v4(); }
  [[nodiscard]] Family family() const { return is_v4() ? Family::kIpv4 : Family::kIpv6; }

  // All 16 bytes, IPv4 in mapped form.
  [[nodiscard]] constexpr const V6Bytes& bytes() const { return bytes_; }
  // The last four bytes; meaningful for IPv4 only.
  [[nodiscard]] constexpr V4Bytes v4_bytes() const {
    struct Mapped {
      std::array<uint8_t, 12> prefix;
      V4Bytes address;
    };
    return std::bit_cast<Mapped>(bytes_).address;
  }

  [[nodiscard]] bool is_unspecified() const;  // 0.0.0.0 or ::
  [[nodiscard]] bool is_multicast() const;    // 224.0.0.0/4 or ff00::/8
  [[nodiscard]] bool is_broadcast() const;    // 255.255.255.255
  [[nodiscard]] bool is_loopback() const;     // 127.0.0.0/8 or ::1
  [[nodiscard]] bool is_link_local() const;   // 169.254.0.0/16 or fe80::/10

  [[nodiscard]] std::string to_string() const;

  // The bytes as two words of the host, for hashing and comparing.
  struct Words {
    uint64_t first;
    uint64_t second;
  };
  // Takes over another address word by word. On the packet path: an address that was just written
  // as two words is then passed on in registers; read as 16 bytes, it would have to leave the
  // store buffer first.
  void set_words(const Words& words) {
    std::memcpy(bytes_.data(), &words.first, sizeof(words.first));
    std::memcpy(bytes_.data() + sizeof(words.first), &words.second, sizeof(words.second));
  }
  [[nodiscard]] Words words() const {
    Words words;
    std::memcpy(&words.first, bytes_.data(), sizeof(words.first));
    std::memcpy(&words.second, bytes_.data() + sizeof(words.first), sizeof(words.second));
    return words;
  }

  friend bool operator==(const IpAddress& a, const IpAddress& b) {
    const Words x = a.words();
    const Words y = b.words();
    return ((x.first ^ y.first) | (x.second ^ y.second)) == 0;
  }
  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  // The second word of an IPv4 address but for its four bytes: 00 00 ff ff in memory.
  static constexpr uint64_t kMapped = 0xffff0000;

  explicit constexpr IpAddress(V6Bytes bytes) : bytes_(bytes) {}

  V6Bytes bytes_{};
};
static_assert(sizeof(IpAddress) == 16 && alignof(IpAddress) == 1);

// The multicast group to which neighbour solicitations for an IPv6 address are sent:
// ff02::1:ffXX:XXXX with the address's last 24 bits (RFC 4291 section 2.7.1).
[[nodiscard]] IpAddress solicited_node_group(const IpAddress& address);

// An address block. `length` counts bits of the family's own address: 0..32 or 0..128.
struct Prefix {
  IpAddress address;  // bits beyond the length are zero
  uint8_t length = 0;

  // Accepts "192.0.2.0/24" and "2001:db8::/32"; an address alone is a host prefix. Host bits must
  // be zero.
  static std::optional<Prefix> parse(std::string_view text);
  // The block of `length` bits that `address` lies in.
  static Prefix containing(const IpAddress& address, uint8_t length);

  [[nodiscard]] bool contains(const IpAddress& candidate) const;
  [[nodiscard]] std::string to_string() const;

  friend bool operator==(const Prefix&, const Prefix&) = default;
  friend auto operator<=>(const Prefix&, const Prefix&) = default;
};

class MacAddress {
 public:
  using Bytes = std::array<uint8_t, 6>;

  constexpr MacAddress() = default;
  explicit constexpr MacAddress(Bytes bytes) : bytes_(bytes) {}

  static std::optional<MacAddress> parse(std::string_view text);  // "02:00:00:00:00:01"

  [[nodiscard]] constexpr const Bytes& bytes() const { return bytes_; }
  [[nodiscard]] constexpr bool is_multicast() const {
    return (bytes_[0] & 1) != 0;
  }  // broadcast included
  [[nodiscard]] bool is_broadcast() const {
    return *this == MacAddress({0xff, 0xff, 0xff, 0xff, 0xff, 0xff});
  }
  [[nodiscard]] bool is_zero() const { return *this == MacAddress{}; }
  // VRRP virtual router MAC, RFC 9568 section 7.3: 00-00-5E-00-01-XX or 00-00-5E-00-02-XX.
  [[nodiscard]] bool is_vrrp_virtual() const {
    return bytes_[0] == 0 && bytes_[1] == 0 && bytes_[2] == 0x5e && bytes_[3] == 0 &&
           (bytes_[4] == 1 || bytes_[4] == 2);
  }
  [[nodiscard]] std::string to_string() const;

  friend bool operator==(const MacAddress& a, const MacAddress& b) {
    const Parts x = a.parts();
    const Parts y = b.parts();
    return ((x.first ^ y.first) | uint32_t{static_cast<uint16_t>(x.second ^ y.second)}) == 0;
  }
  friend auto operator<=>(const MacAddress&, const MacAddress&) = default;

 private:
  // Four bytes and two: a comparison of six would be a call of the C library, on every packet.
  struct Parts {
    uint32_t first;
    uint16_t second;
  };
  [[nodiscard]] Parts parts() const {
    Parts result;
    std::memcpy(&result.first, bytes_.data(), sizeof(result.first));
    std::memcpy(&result.second, bytes_.data() + sizeof(result.first), sizeof(result.second));
    return result;
  }

  Bytes bytes_{};
};
static_assert(sizeof(MacAddress) == 6 && alignof(MacAddress) == 1);

}  // namespace ballast

template <>
struct std::hash<ballast::IpAddress> {
  size_t operator()(const ballast::IpAddress& address) const noexcept {
    return std::hash<std::string_view>{}(
        {reinterpret_cast<const char*>(address.bytes().data()), address.bytes().size()});
  }
};
