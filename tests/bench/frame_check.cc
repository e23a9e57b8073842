#include "tests/bench/frame_check.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "dataplane/packet/address.h"
#include "tests/bench/addresses.h"

namespace ballast::bench {
namespace {

using Bytes = std::span<const uint8_t>;

constexpr size_t kEthernet = 14;

// Where things are in a frame without options and extension headers.
struct Places {
  explicit Places(Family family)
      : v4(family == Family::kIpv4),
        address(v4 ? 4 : 16),
        ttl(kEthernet + (v4 ? 8 : 7)),
        source(kEthernet + (v4 ? 12 : 8)),
        destination(source + address),
        ports(destination + address) {}

  bool v4;
  size_t address;
  size_t ttl;
  size_t source;
  size_t destination;
  size_t ports;

  [[nodiscard]] size_t transport_checksum(IpProtocol protocol) const {
    return ports + (protocol == IpProtocol::kTcp ? 16 : 6);
  }
};

uint16_t read16(Bytes bytes, size_t place) {
  return static_cast<uint16_t>(bytes[place] << 8U | bytes[place + 1]);
}
void write16(FrameBytes& bytes, size_t place, uint16_t value) {
  bytes[place] = static_cast<uint8_t>(value >> 8U);
  bytes[place + 1] = static_cast<uint8_t>(value);
}

// RFC 1071, word by word; 0xffff is 0.
uint32_t ones_sum(Bytes bytes) {
  uint32_t sum = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    sum += i % 2 == 0 ? bytes[i] * 256U : bytes[i];
  }
  return sum % 0xffff;
}

// Of the transport segment and the addresses of its pseudo header.
uint32_t covered_sum(Bytes frame, const Places& places) {
  return ones_sum(frame.subspan(places.source)) % 0xffff;
}

struct End {
  Bytes address;
  uint16_t port;
};

// An IP header with another address, and its ports.
void set_end(FrameBytes& frame, size_t address, size_t port, const End& end) {
  std::copy(end.address.begin(), end.address.end(), frame.begin() + static_cast<long>(address));
  write16(frame, port, end.port);
}

void finish(FrameBytes& frame, const Places& places) {
  --frame[places.ttl];
  if (places.v4) {
    write16(frame, kEthernet + 10, 0);
    const uint32_t sum = ones_sum(Bytes(frame).subspan(kEthernet, 20));
    write16(frame, kEthernet + 10, static_cast<uint16_t>(~sum));
  }
}

// The addresses of both families side by side, so that one of them can be given as bytes.
struct AddressBytes {
  IpAddress::V4Bytes v4;
  IpAddress::V6Bytes v6;

  [[nodiscard]] Bytes of(const Places& places) const { return places.v4 ? Bytes(v4) : Bytes(v6); }
};

AddressBytes server_address(uint8_t number) {
  return {server_v4(number), server_v6(number)};
}
AddressBytes local_address(uint8_t number) {
  return {local_v4(number), local_v6(number)};
}
const AddressBytes kVip{kVipV4, kVipV6};

AddressBytes client_address(uint32_t number) {
  AddressBytes address{{}, kClientsV6};
  const uint32_t client = __builtin_bswap32(client_of(number));
  std::memcpy(address.v4.data(), &client, sizeof(client));
  std::memcpy(address.v6.data() + 12, &client, sizeof(client));
  return address;
}

bool is_at(Bytes frame, size_t place, Bytes what) {
  return frame.size() >= place + what.size() &&
         std::equal(what.begin(), what.end(), frame.begin() + static_cast<long>(place));
}

// The destination MAC says which server; 0 when it is none's.
uint8_t server_of_mac(Bytes frame) {
  const uint8_t number = frame[5];
  return number >= 1 && number <= kServers && is_at(frame, 0, server_mac(number).bytes()) ? number
                                                                                          : 0;
}

// "": all of `sent` is as in `expected` but for the transport checksum, which is right if that of
// `original` was, and as wrong if not.
std::string difference(Bytes sent, const FrameBytes& expected, const FrameBytes& original,
                       size_t size, const Places& places, IpProtocol protocol) {
  if (sent.size() != size) {
    return fmt::format("{} bytes long instead of {}", sent.size(), size);
  }
  const size_t checksum = places.transport_checksum(protocol);
  for (size_t i = kEthernet; i < size; ++i) {
    if (i != checksum && i != checksum + 1 && sent[i] != expected[i]) {
      return fmt::format("byte {}: {:02x} instead of {:02x}", i, sent[i], expected[i]);
    }
  }
  if (covered_sum(sent, places) != covered_sum(Bytes(original).first(size), places)) {
    return fmt::format("transport checksum {:04x}, before it was {:04x}", read16(sent, checksum),
                       read16(original, checksum));
  }
  return {};
}

}  // namespace

void FrameCheck::look_at(const SentFrame& sent, Direction from, Book book) {
  const std::string fault =
      from == Direction::kIn ? fault_from_client(sent, book) : fault_from_server(sent);
  if (fault.empty()) {
    ++right_;
  } else if (++wrong_ == 1) {
    first_fault_ = fmt::format("flow {}, out by port {}: {}: {:02x}", sent.number, sent.port, fault,
                               fmt::join(sent.bytes, " "));
  }
}

tl::expected<void, std::string> FrameCheck::verdict() const {
  if (wrong_ == 0) {
    return {};
  }
  return tl::unexpected(
      fmt::format("{} frames left wrong, the first of them: {}", wrong_, first_fault_));
}

size_t FrameCheck::flags_place() const {
  return Places(frames_.shape().family).ports + 13;
}

FrameBytes FrameCheck::original_from_client(const SentFrame& sent, uint8_t flags) const {
  FrameBytes frame{};
  frames_.write_template(frame.data());
  const auto write = [&]<Family kFamily>() {
    frames_.shape().protocol == IpProtocol::kTcp
        ? frames_.write<kFamily, IpProtocol::kTcp>(frame.data(), sent.number, flags)
        : frames_.write<kFamily, IpProtocol::kUdp>(frame.data(), sent.number, flags);
  };
  frames_.shape().family == Family::kIpv4 ? write.operator()<Family::kIpv4>()
                                          : write.operator()<Family::kIpv6>();
  return frame;
}

FrameBytes FrameCheck::original_from_server(const SentFrame& sent, uint8_t flags) const {
  FrameBytes frame{};
  replies_->write_template(frame.data());
  const Destination& flow = book_->of_flow(sent.number);
  const auto write = [&]<Family kFamily>() {
    replies_->shape().protocol == IpProtocol::kTcp
        ? replies_->write<kFamily, IpProtocol::kTcp>(frame.data(), sent.number, flow, flags)
        : replies_->write<kFamily, IpProtocol::kUdp>(frame.data(), sent.number, flow, flags);
  };
  replies_->shape().family == Family::kIpv4 ? write.operator()<Family::kIpv4>()
                                            : write.operator()<Family::kIpv6>();
  return frame;
}

std::string FrameCheck::fault_from_client(const SentFrame& sent, Book book) {
  const FrameShape& shape = frames_.shape();
  const Places places(shape.family);
  const uint8_t server = server_of_mac(sent.bytes);
  if (sent.port != last_port_ || server == 0 || !is_at(sent.bytes, 6, kLanMac.bytes())) {
    return "not sent to a server";
  }
  if (forwarding_.mode == ForwardingMode::kTunnel) {
    return fault_of_tunnel(sent, original_from_client(sent, 0), server);
  }
  const FrameBytes original = original_from_client(sent, sent.bytes[flags_place()]);
  FrameBytes expected = original;
  Destination flow{server, 0, 0};
  if (forwarding_.translates()) {
    set_end(expected, places.destination, places.ports + 2,
            {server_address(server).of(places), kServerPort.to_host()});
    if (forwarding_.mode == ForwardingMode::kFullNat) {
      flow.local = sent.bytes[places.destination - 1];
      flow.port = read16(sent.bytes, places.ports);
      set_end(expected, places.source, places.ports,
              {local_address(flow.local).of(places), flow.port});
    }
    finish(expected, places);
    Destination& noted = book_->of_flow(sent.number);
    if (book == Book::kLearn) {
      noted = flow;
    } else if (noted != flow) {
      return fmt::format("to server {} from {}:{}, before to {} from {}:{}", flow.server,
                         flow.local, flow.port, noted.server, noted.local, noted.port);
    }
  }
  return difference(sent.bytes, expected, original, frames_.size(), places, shape.protocol);
}

std::string FrameCheck::fault_from_server(const SentFrame& sent) const {
  const FrameShape& shape = replies_->shape();
  const Places places(shape.family);
  if (sent.port != 0 || !is_at(sent.bytes, 0, kRouterMac.bytes()) ||
      !is_at(sent.bytes, 6, kWanMac.bytes())) {
    return "not sent to the clients' router";
  }
  const FrameBytes original = original_from_server(sent, sent.bytes[flags_place()]);
  FrameBytes expected = original;
  const bool tcp = shape.protocol == IpProtocol::kTcp;
  set_end(expected, places.source, places.ports,
          {kVip.of(places), (tcp ? kVipTcpPort : kVipUdpPort).to_host()});
  set_end(expected, places.destination, places.ports + 2,
          {client_address(sent.number).of(places), client_port_of(sent.number)});
  finish(expected, places);
  return difference(sent.bytes, expected, original, replies_->size(), places, shape.protocol);
}

// The inner packet is untouched; in front of it is an IP header to the server.
std::string FrameCheck::fault_of_tunnel(const SentFrame& sent, const FrameBytes& original,
                                        uint8_t server) const {
  const Places outer(forwarding_.servers);
  const Places inner(frames_.shape().family);
  const size_t headers = tunnel_overhead(forwarding_.encapsulation, forwarding_.servers);
  const size_t length =
      inner.v4 ? read16(original, kEthernet + 2) : 40U + read16(original, kEthernet + 4);
  const Bytes frame = sent.bytes;
  if (frame.size() != kEthernet + headers + length) {
    return fmt::format("{} bytes long instead of {}", frame.size(), kEthernet + headers + length);
  }
  const size_t said = outer.v4 ? read16(frame, kEthernet + 2) : 40U + read16(frame, kEthernet + 4);
  if (said != headers + length || frame[kEthernet] >> 4U != (outer.v4 ? 4 : 6) ||
      read16(frame, 12) != (outer.v4 ? 0x0800 : 0x86dd)) {
    return "the outer header's length, version or EtherType";
  }
  if (outer.v4 && ones_sum(frame.subspan(kEthernet, 20)) != 0) {
    return "the outer header's checksum";
  }
  const AddressBytes sources{kTunnelSourcesV4, kTunnelSourcesV6};
  if (!is_at(frame, outer.source, sources.of(outer).first(outer.address - 1)) ||
      !is_at(frame, outer.destination, server_address(server).of(outer))) {
    return "the outer addresses";
  }
  FrameBytes expected = original;
  const Bytes packet = frame.subspan(kEthernet + headers);
  if (frames_.shape().protocol == IpProtocol::kTcp) {
    const size_t flags = flags_place();
    expected = original_from_client(sent, packet[flags - kEthernet]);
  }
  return is_at(packet, 0, Bytes(expected).subspan(kEthernet, length)) ? ""
                                                                      : "the inner packet changed";
}

}  // namespace ballast::bench
