#include "tests/model/octets.h"

#include <algorithm>

namespace ballast::model {

uint16_t get16(const Bytes& bytes, size_t at) {
  return static_cast<uint16_t>(bytes.at(at) << 8 | bytes.at(at + 1));
}

uint32_t get32(const Bytes& bytes, size_t at) {
  return uint32_t{get16(bytes, at)} << 16 | get16(bytes, at + 2);
}

void put16(Bytes& bytes, size_t at, uint16_t value) {
  bytes.at(at) = static_cast<uint8_t>(value >> 8);
  bytes.at(at + 1) = static_cast<uint8_t>(value);
}

void put32(Bytes& bytes, size_t at, uint32_t value) {
  put16(bytes, at, static_cast<uint16_t>(value >> 16));
  put16(bytes, at + 2, static_cast<uint16_t>(value));
}

IpAddress get_address(const Bytes& bytes, size_t at, Family family) {
  if (family == Family::kIpv4) {
    return IpAddress::v4({bytes.at(at), bytes.at(at + 1), bytes.at(at + 2), bytes.at(at + 3)});
  }
  IpAddress::V6Bytes raw{};
  for (size_t i = 0; i < raw.size(); ++i) {
    raw[i] = bytes.at(at + i);
  }
  return IpAddress::v6(raw);
}

void put_address(Bytes& bytes, size_t at, const IpAddress& address) {
  const size_t first = address.is_v4() ? 12 : 0;
  for (size_t i = first; i < 16; ++i) {
    bytes.at(at + i - first) = address.bytes()[i];
  }
}

MacAddress get_mac(const Bytes& bytes, size_t at) {
  MacAddress::Bytes raw{};
  for (size_t i = 0; i < raw.size(); ++i) {
    raw[i] = bytes.at(at + i);
  }
  return MacAddress(raw);
}

void put_mac(Bytes& bytes, size_t at, const MacAddress& mac) {
  for (size_t i = 0; i < mac.bytes().size(); ++i) {
    bytes.at(at + i) = mac.bytes()[i];
  }
}

uint16_t ones_add(uint16_t a, uint16_t b) {
  const uint32_t sum = uint32_t{a} + b;
  return static_cast<uint16_t>((sum & 0xffff) + (sum >> 16));
}

uint16_t ones_subtract(uint16_t a, uint16_t b) {
  return ones_add(a, static_cast<uint16_t>(~b));
}

uint16_t ones_sum(const Bytes& bytes, size_t from, size_t to) {
  uint16_t sum = 0;
  for (size_t at = from; at < to; at += 2) {
    const uint8_t second = at + 1 < to ? bytes.at(at + 1) : uint8_t{0};
    sum = ones_add(sum, static_cast<uint16_t>(bytes.at(at) << 8 | second));
  }
  return sum;
}

uint16_t pseudo_sum(const IpAddress& source, const IpAddress& destination, uint8_t protocol,
                    uint32_t length) {
  Bytes pseudo(40);
  put_address(pseudo, 0, source);
  put_address(pseudo, 16, destination);
  put32(pseudo, 32, length);
  pseudo[39] = protocol;
  return ones_sum(pseudo, 0, pseudo.size());
}

}  // namespace ballast::model
