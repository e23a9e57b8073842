// Frame: finding headers in well-formed frames, and the slow reference checksums.
#include <algorithm>
#include <cstring>
#include <ostream>

#include <fmt/format.h>

#include "tests/unit/packet_builder.h"

namespace ballast::testing {
namespace {

uint16_t word_at(const Bytes& bytes, size_t offset) {
  return static_cast<uint16_t>((bytes.at(offset) << 8) | bytes.at(offset + 1));
}

void put_word(Bytes& bytes, size_t offset, uint16_t value) {
  bytes.at(offset) = static_cast<uint8_t>(value >> 8);
  bytes.at(offset + 1) = static_cast<uint8_t>(value);
}

Bytes slice(const Bytes& bytes, size_t first, size_t end) {
  end = std::min(end, bytes.size());
  first = std::min(first, end);
  return {bytes.begin() + static_cast<std::ptrdiff_t>(first),
          bytes.begin() + static_cast<std::ptrdiff_t>(end)};
}

struct Layout {
  uint16_t ether_type = 0;
  size_t network = 0;
  size_t transport = 0;  // 0: no IP
  size_t end = 0;        // of the IP packet
  uint8_t protocol = 0;
  bool fragment = false;
  bool later_fragment = false;
  size_t fragment_start = 0;  // of what is fragmented
};

void find_ipv6_transport(const Bytes& bytes, Layout& layout) {
  layout.transport = layout.network + 40;
  layout.end = layout.transport + word_at(bytes, layout.network + 4);
  layout.protocol = bytes.at(layout.network + 6);
  while (!layout.later_fragment) {
    const size_t at = layout.transport;
    switch (ip_protocol(layout.protocol)) {
      case IpProtocol::kHopByHop:
      case IpProtocol::kDestinationOptions:
      case IpProtocol::kRouting:
        layout.transport += (bytes.at(at + 1) + 1U) * 8U;
        break;
      case IpProtocol::kAuthentication:
        layout.transport += (bytes.at(at + 1) + 2U) * 4U;
        break;
      case IpProtocol::kFragment:
        layout.fragment = (word_at(bytes, at + 2) & 0xfff9) != 0;
        layout.later_fragment = (word_at(bytes, at + 2) & 0xfff8) != 0;
        layout.transport += 8;
        layout.fragment_start = layout.transport;
        break;
      default:
        return;
    }
    layout.protocol = bytes.at(at);
  }
}

Layout layout_of(const Bytes& bytes) {
  Layout layout;
  layout.ether_type = word_at(bytes, 12);
  layout.network = 14;
  while (layout.ether_type == 0x8100 || layout.ether_type == 0x88a8) {
    layout.ether_type = word_at(bytes, layout.network + 2);
    layout.network += 4;
  }
  layout.end = bytes.size();
  if (layout.ether_type == 0x0800) {
    const size_t at = layout.network;
    layout.transport = at + (bytes.at(at) & 0x0fU) * 4U;
    layout.end = at + word_at(bytes, at + 2);
    layout.protocol = bytes.at(at + 9);
    layout.fragment = (word_at(bytes, at + 6) & 0x3fff) != 0;
    layout.later_fragment = (word_at(bytes, at + 6) & 0x1fff) != 0;
    layout.fragment_start = layout.transport;
  } else if (layout.ether_type == 0x86dd) {
    find_ipv6_transport(bytes, layout);
  }
  return layout;
}

// Where the transport's checksum field is, from the start of the frame; 0 when there is none to
// check.
size_t transport_checksum_offset(const Layout& layout) {
  if (layout.transport == 0 || layout.fragment) {
    return 0;
  }
  switch (ip_protocol(layout.protocol)) {
    case IpProtocol::kTcp:
      return layout.transport + 16;
    case IpProtocol::kUdp:
      return layout.transport + 6;
    case IpProtocol::kIcmp:
    case IpProtocol::kIcmpv6:
      return layout.transport + 2;
    default:
      return 0;
  }
}

uint16_t expected_transport_checksum(Bytes bytes, const Layout& layout) {
  put_word(bytes, transport_checksum_offset(layout), 0);
  const Bytes segment = slice(bytes, layout.transport, layout.end);
  const IpProtocol protocol = ip_protocol(layout.protocol);
  if (protocol == IpProtocol::kIcmp) {
    return reference_checksum(segment);
  }
  const bool v4 = layout.ether_type == 0x0800;
  const auto address = [&](size_t v4_offset, size_t v6_offset) {
    IpAddress::V4Bytes four{};
    IpAddress::V6Bytes sixteen{};
    const size_t length = v4 ? four.size() : sixteen.size();
    const size_t begin = layout.network + (v4 ? v4_offset : v6_offset);
    static_cast<void>(bytes.at(begin + length - 1));  // throws where the header is cut off
    std::memcpy(v4 ? four.data() : sixteen.data(), bytes.data() + begin, length);
    return v4 ? IpAddress::v4(four) : IpAddress::v6(sixteen);
  };
  const uint16_t checksum =
      reference_transport_checksum(address(12, 8), address(16, 24), protocol, segment);
  return protocol == IpProtocol::kUdp && checksum == 0 ? 0xffff : checksum;
}

uint16_t expected_ipv4_checksum(const Bytes& bytes, const Layout& layout) {
  Bytes header = slice(bytes, layout.network, layout.transport);
  put_word(header, 10, 0);
  return reference_checksum(header);
}

template <typename Header>
Header* at(Bytes& bytes, size_t offset, bool present) {
  return present && offset + sizeof(Header) <= bytes.size()
             ? reinterpret_cast<Header*>(bytes.data() + offset)
             : nullptr;
}

template <typename Header>
Header* transport_at(Bytes& bytes, IpProtocol protocol) {
  const Layout layout = layout_of(bytes);
  return at<Header>(
      bytes, layout.transport,
      layout.transport != 0 && !layout.later_fragment && layout.protocol == wire_byte(protocol));
}

}  // namespace

uint16_t reference_checksum(const Bytes& bytes) {
  uint32_t sum = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    sum += static_cast<uint32_t>(bytes[i]) << (i % 2 == 0 ? 8 : 0);
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<uint16_t>(~sum);
}

uint16_t reference_transport_checksum(const IpAddress& source, const IpAddress& destination,
                                      IpProtocol protocol, const Bytes& segment) {
  Bytes bytes;
  const size_t skipped = source.is_v4() ? 12 : 0;  // the last four of sixteen are the IPv4 address
  for (const IpAddress& address : {source, destination}) {
    bytes.insert(bytes.end(), address.bytes().begin() + static_cast<std::ptrdiff_t>(skipped),
                 address.bytes().end());
  }
  // For both families: lengths and protocol sum up the same, whatever the zeros between them.
  const auto length = static_cast<uint32_t>(segment.size());
  for (const unsigned shift : {24U, 16U, 8U, 0U}) {
    bytes.push_back(static_cast<uint8_t>(length >> shift));
  }
  bytes.insert(bytes.end(), {0, 0, 0, wire_byte(protocol)});
  bytes.insert(bytes.end(), segment.begin(), segment.end());
  return reference_checksum(bytes);
}

EthernetHeader* Frame::ethernet() {
  return at<EthernetHeader>(bytes, 0, true);
}

Ipv4Header* Frame::ipv4() {
  const Layout layout = layout_of(bytes);
  return at<Ipv4Header>(bytes, layout.network, layout.ether_type == 0x0800);
}

Ipv6Header* Frame::ipv6() {
  const Layout layout = layout_of(bytes);
  return at<Ipv6Header>(bytes, layout.network, layout.ether_type == 0x86dd);
}

ArpPacket* Frame::arp() {
  const Layout layout = layout_of(bytes);
  return at<ArpPacket>(bytes, layout.network, layout.ether_type == 0x0806);
}

TcpHeader* Frame::tcp() {
  return transport_at<TcpHeader>(bytes, IpProtocol::kTcp);
}

UdpHeader* Frame::udp() {
  return transport_at<UdpHeader>(bytes, IpProtocol::kUdp);
}

IcmpHeader* Frame::icmp() {
  auto* v4 = transport_at<IcmpHeader>(bytes, IpProtocol::kIcmp);
  return v4 != nullptr ? v4 : transport_at<IcmpHeader>(bytes, IpProtocol::kIcmpv6);
}

size_t Frame::network_offset() const {
  return layout_of(bytes).network;
}

size_t Frame::transport_offset() const {
  return layout_of(bytes).transport;
}

IpProtocol Frame::protocol() const {
  return ip_protocol(layout_of(bytes).protocol);
}

FragmentNotes Frame::fragment() const {
  const Layout layout = layout_of(bytes);
  if (!layout.fragment) {
    return {};
  }
  FragmentNotes notes;
  if (layout.ether_type == 0x0800) {
    notes.id = word_at(bytes, layout.network + 4);
    notes.begin = (word_at(bytes, layout.network + 6) & 0x1fffU) * 8U;
    notes.more = (bytes.at(layout.network + 6) & 0x20U) != 0;
  } else {
    const size_t header = layout.fragment_start - 8;
    notes.id = static_cast<uint32_t>(word_at(bytes, header + 4)) << 16 | word_at(bytes, header + 6);
    notes.begin = word_at(bytes, header + 2) / 8U * 8U;
    notes.more = (bytes.at(header + 3) & 1U) != 0;
  }
  notes.end = notes.begin + layout.end - layout.fragment_start;
  return notes;
}

Bytes Frame::network_bytes() const {
  const Layout layout = layout_of(bytes);
  return slice(bytes, layout.network, layout.end);
}

Bytes Frame::payload() const {
  const Layout layout = layout_of(bytes);
  size_t first = layout.transport;
  if (!layout.later_fragment) {
    switch (ip_protocol(layout.protocol)) {
      case IpProtocol::kTcp:
        first += (bytes.at(layout.transport + 12) >> 4) * 4U;
        break;
      case IpProtocol::kUdp:
      case IpProtocol::kIcmp:
      case IpProtocol::kIcmpv6:
        first += 8;
        break;
      default:
        break;
    }
  }
  return slice(bytes, first, layout.end);
}

void Frame::fix_checksums() {
  const Layout layout = layout_of(bytes);
  if (layout.ether_type == 0x0800) {
    put_word(bytes, layout.network + 10, expected_ipv4_checksum(bytes, layout));
  }
  if (const size_t offset = transport_checksum_offset(layout); offset != 0) {
    put_word(bytes, offset, expected_transport_checksum(bytes, layout));
  }
}

std::string Frame::wrong_checksum() const {
  const Layout layout = layout_of(bytes);
  if (layout.ether_type == 0x0800 &&
      word_at(bytes, layout.network + 10) != expected_ipv4_checksum(bytes, layout)) {
    return "ipv4 header checksum";
  }
  const size_t offset = transport_checksum_offset(layout);
  if (offset == 0) {
    return {};
  }
  const uint16_t found = word_at(bytes, offset);
  const uint16_t expected = expected_transport_checksum(bytes, layout);
  const bool none = layout.protocol == wire_byte(IpProtocol::kUdp) && found == 0 &&
                    layout.ether_type == 0x0800;  // UDP over IPv4 may go without
  if (found == expected || none) {
    return {};
  }
  return fmt::format("transport checksum (protocol {}): {:#06x}, right would be {:#06x}",
                     layout.protocol, found, expected);
}

void PrintTo(const Frame& frame, std::ostream* out) {
  for (size_t i = 0; i < frame.bytes.size(); ++i) {
    *out << (i % 16 == 0 ? fmt::format("\n{:04x} ", i) : "")
         << fmt::format(" {:02x}", frame.bytes[i]);
  }
}

}  // namespace ballast::testing
