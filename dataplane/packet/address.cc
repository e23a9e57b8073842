#include "dataplane/packet/address.h"

#include <algorithm>
#include <cassert>
#include <charconv>

#include <arpa/inet.h>
#include <fmt/format.h>

namespace ballast {
namespace {

// Bits of the family's own address, and how many bits of the 16 bytes precede it.
uint8_t address_bits(const IpAddress& address) {
  return address.is_v4() ? 32 : 128;
}

unsigned leading_bits(const IpAddress& address) {
  return 128U - address_bits(address);
}

// Bits [0, length) of `bytes`, zeros behind.
IpAddress::V6Bytes masked(IpAddress::V6Bytes bytes, unsigned length) {
  const unsigned whole = length / 8;
  if (whole < bytes.size()) {
    bytes[whole] = static_cast<uint8_t>(bytes[whole] & (0xff00U >> (length % 8)));
    std::fill(bytes.begin() + whole + 1, bytes.end(), uint8_t{0});
  }
  return bytes;
}

std::optional<uint8_t> hex_digit(char c) {
  if (c >= '0' && c <= '9') {
    return static_cast<uint8_t>(c - '0');
  }
  const char lower = static_cast<char>(c | 0x20);
  if (lower >= 'a' && lower <= 'f') {
    return static_cast<uint8_t>(lower - 'a' + 10);
  }
  return std::nullopt;
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> copy{};  // inet_pton wants a terminated string
  if (text.size() >= copy.size() || text.find('\0') != std::string_view::npos) {
    return std::nullopt;
  }
  std::copy(text.begin(), text.end(), copy.begin());
  if (V4Bytes bytes{}; inet_pton(AF_INET, copy.data(), bytes.data()) == 1) {
    return v4(bytes);
  }
  if (V6Bytes bytes{}; inet_pton(AF_INET6, copy.data(), bytes.data()) == 1) {
    const IpAddress address = v6(bytes);
    if (!address.is_v4()) {
      return address;
    }
  }
  return std::nullopt;
}

bool IpAddress::is_unspecified() const {
  return *this == IpAddress{} || *this == v4({0, 0, 0, 0});
}

bool IpAddress::is_multicast() const {
  return is_v4() ? (bytes_[12] & 0xf0) == 0xe0 : bytes_[0] == 0xff;
}

bool IpAddress::is_broadcast() const {
  return *this == v4({255, 255, 255, 255});
}

bool IpAddress::is_loopback() const {
  return is_v4() ? bytes_[12] == 127
                 : bytes_ == V6Bytes{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
}

bool IpAddress::is_link_local() const {
  return is_v4() ? bytes_[12] == 169 && bytes_[13] == 254
                 : bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80;
}

std::string IpAddress::to_string() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const bool four = is_v4();
  inet_ntop(four ? AF_INET : AF_INET6, four ? &bytes_[12] : bytes_.data(), text.data(),
            text.size());
  return text.data();
}

IpAddress solicited_node_group(const IpAddress& address) {
  const IpAddress::V6Bytes& bytes = address.bytes();
  return IpAddress::v6(
      {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, bytes[13], bytes[14], bytes[15]});
}

std::optional<Prefix> Prefix::parse(std::string_view text) {
  const size_t slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) {
    return std::nullopt;
  }
  uint8_t length = address_bits(*address);
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const char* end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, length);
    if (error != std::errc{} || stop != end || length > address_bits(*address)) {
      return std::nullopt;
    }
  }
  const Prefix prefix = containing(*address, length);
  return prefix.address == *address ? std::optional(prefix) : std::nullopt;
}

Prefix Prefix::containing(const IpAddress& address, uint8_t length) {
  assert(length <= address_bits(address));
  const auto bytes = masked(address.bytes(), leading_bits(address) + length);
  return {IpAddress::v6(bytes), length};
}

bool Prefix::contains(const IpAddress& candidate) const {
  // Without the look at the family, ::/0 would hold every IPv4 address in its mapped form.
  return candidate.is_v4() == address.is_v4() &&
         masked(candidate.bytes(), leading_bits(address) + length) == address.bytes();
}

std::string Prefix::to_string() const {
  return fmt::format("{}/{}", address.to_string(), length);
}

std::optional<MacAddress> MacAddress::parse(std::string_view text) {
  Bytes bytes{};
  if (text.size() != bytes.size() * 3 - 1) {
    return std::nullopt;
  }
  for (size_t i = 0; i < bytes.size(); ++i) {
    const auto high = hex_digit(text[i * 3]);
    const auto low = hex_digit(text[i * 3 + 1]);
    if (!high || !low || (i + 1 < bytes.size() && text[i * 3 + 2] != ':')) {
      return std::nullopt;
    }
    bytes[i] = static_cast<uint8_t>(*high << 4 | *low);
  }
  return MacAddress(bytes);
}

std::string MacAddress::to_string() const {
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", bytes_[0], bytes_[1], bytes_[2],
                     bytes_[3], bytes_[4], bytes_[5]);
}

}  // namespace ballast
