#include "tests/unit/packet_builder.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <ostream>
#include <utility>

#include <fmt/format.h>

namespace ballast::testing {
namespace {

template <typename Header>
void append(Bytes& bytes, const Header& header) {
  static_assert(alignof(Header) == 1);
  const size_t size = bytes.size();
  bytes.resize(size + sizeof(Header));
  std::memcpy(bytes.data() + size, &header, sizeof(Header));
}

void append(Bytes& bytes, const Bytes& more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}

Bytes padded(Bytes bytes, size_t unit) {
  bytes.resize((bytes.size() + unit - 1) / unit * unit);
  return bytes;
}

void put_checksum(Bytes& bytes, size_t offset, uint16_t checksum) {
  bytes.at(offset) = static_cast<uint8_t>(checksum >> 8);
  bytes.at(offset + 1) = static_cast<uint8_t>(checksum);
}

Big16 big(size_t value) {
  return Big16::from_host(static_cast<uint16_t>(value));
}

}  // namespace

IpAddress ip_address(std::string_view text) {
  const auto address = IpAddress::parse(text);
  if (!address) {
    std::cerr << "test uses a bad address: " << text << '\n';
    std::abort();
  }
  return *address;
}

MacAddress mac_address(std::string_view text) {
  const auto address = MacAddress::parse(text);
  if (!address) {
    std::cerr << "test uses a bad MAC address: " << text << '\n';
    std::abort();
  }
  return *address;
}

std::array<uint8_t, 4> mtu(uint16_t bytes) {
  return {0, 0, static_cast<uint8_t>(bytes >> 8), static_cast<uint8_t>(bytes)};
}

std::array<uint8_t, 4> mtu_v6(uint32_t bytes) {
  return {static_cast<uint8_t>(bytes >> 24), static_cast<uint8_t>(bytes >> 16),
          static_cast<uint8_t>(bytes >> 8), static_cast<uint8_t>(bytes)};
}

std::array<uint8_t, 4> echo_fields(uint16_t identifier, uint16_t sequence) {
  return {static_cast<uint8_t>(identifier >> 8), static_cast<uint8_t>(identifier),
          static_cast<uint8_t>(sequence >> 8), static_cast<uint8_t>(sequence)};
}

ExactBuffer::ExactBuffer(const Bytes& bytes, size_t tailroom)
    : size_(bytes.size()), data_(new uint8_t[bytes.size() + tailroom]) {
  std::copy(bytes.begin(), bytes.end(), data_.get());
}

PacketBuilder& PacketBuilder::ethernet(std::string_view source, std::string_view destination) {
  source_mac_ = mac_address(source);
  destination_mac_ = mac_address(destination);
  return *this;
}

PacketBuilder& PacketBuilder::vlan(uint16_t id, bool service_tag) {
  tags_.push_back({Big16::from_host(id), service_tag ? kEtherTypeServiceVlan : kEtherTypeVlan});
  return *this;
}

PacketBuilder& PacketBuilder::ether_type(uint16_t value) {
  ether_type_ = Big16::from_host(value);
  return *this;
}

PacketBuilder& PacketBuilder::pad_to(size_t frame_size) {
  pad_to_ = frame_size;
  return *this;
}

PacketBuilder& PacketBuilder::ip(std::string_view source, std::string_view destination) {
  return ip(ip_address(source), ip_address(destination));
}

PacketBuilder& PacketBuilder::ip(const IpAddress& source, const IpAddress& destination) {
  is_ip_ = true;
  source_ = source;
  destination_ = destination;
  ether_type_ = source.is_v4() ? kEtherTypeIpv4 : kEtherTypeIpv6;
  return *this;
}

PacketBuilder& PacketBuilder::ttl(uint8_t value) {
  ttl_ = value;
  return *this;
}

PacketBuilder& PacketBuilder::traffic_class(uint8_t value) {
  traffic_class_ = value;
  return *this;
}

PacketBuilder& PacketBuilder::identification(uint32_t value) {
  identification_ = value;
  return *this;
}

PacketBuilder& PacketBuilder::dont_fragment() {
  dont_fragment_ = true;
  return *this;
}

PacketBuilder& PacketBuilder::ipv4_options(Bytes options) {
  ipv4_options_ = padded(std::move(options), 4);
  return *this;
}

PacketBuilder& PacketBuilder::fragment(size_t offset, size_t length, bool more) {
  const bool placed = std::any_of(extensions_.begin(), extensions_.end(), [](const Extension& e) {
    return e.type == IpProtocol::kFragment;
  });
  if (source_.is_v6() && !placed) {
    fragment_header();
  }
  fragmented_ = true;
  fragment_offset_ = offset;
  fragment_length_ = length;
  more_fragments_ = more;
  return *this;
}

PacketBuilder& PacketBuilder::extension(IpProtocol type, Bytes body) {
  // Next header and length are the first two of the bytes that are padded to a unit of 8.
  body.resize((std::max<size_t>(body.size(), 6) + 2 + 7) / 8 * 8 - 2);
  const size_t units = (body.size() + 2) / 8;
  const bool authentication = type == IpProtocol::kAuthentication;
  body.insert(body.begin(), static_cast<uint8_t>(authentication ? units * 2 - 2 : units - 1));
  extensions_.push_back({type, std::move(body)});
  return *this;
}

PacketBuilder& PacketBuilder::routing(uint8_t type, uint8_t segments_left, size_t addresses) {
  Bytes body(6 + addresses * 16);
  body[0] = type;
  body[1] = segments_left;
  return extension(IpProtocol::kRouting, std::move(body));
}

PacketBuilder& PacketBuilder::fragment_header() {
  extensions_.push_back({IpProtocol::kFragment, {}});  // its body depends on later calls
  return *this;
}

PacketBuilder& PacketBuilder::tcp(uint16_t source_port, uint16_t destination_port, uint8_t flags) {
  transport_ = Transport::kTcp;
  source_port_ = Big16::from_host(source_port);
  destination_port_ = Big16::from_host(destination_port);
  tcp_flags_ = flags;
  return *this;
}

PacketBuilder& PacketBuilder::sequence(uint32_t sequence, uint32_t acknowledgment) {
  sequence_ = sequence;
  acknowledgment_ = acknowledgment;
  return *this;
}

PacketBuilder& PacketBuilder::tcp_options(Bytes options) {
  tcp_options_ = padded(std::move(options), 4);
  return *this;
}

PacketBuilder& PacketBuilder::udp(uint16_t source_port, uint16_t destination_port) {
  transport_ = Transport::kUdp;
  source_port_ = Big16::from_host(source_port);
  destination_port_ = Big16::from_host(destination_port);
  return *this;
}

PacketBuilder& PacketBuilder::udp_without_checksum() {
  udp_checksum_ = false;
  return *this;
}

PacketBuilder& PacketBuilder::icmp(uint8_t type, uint8_t code, std::array<uint8_t, 4> rest) {
  transport_ = Transport::kIcmp;
  icmp_ = {type, code, {}, rest};
  return *this;
}

PacketBuilder& PacketBuilder::echo_request(uint16_t identifier, uint16_t sequence) {
  return icmp(source_.is_v4() ? kIcmpEchoRequest : kIcmpv6EchoRequest, 0,
              echo_fields(identifier, sequence));
}

PacketBuilder& PacketBuilder::icmp_error(uint8_t type, uint8_t code, const Frame& quoted,
                                         std::array<uint8_t, 4> rest, size_t quoted_bytes) {
  Bytes inner = quoted.network_bytes();
  inner.resize(std::min(inner.size(), quoted_bytes));
  return icmp(type, code, rest).payload(std::move(inner));
}

PacketBuilder& PacketBuilder::protocol(IpProtocol protocol) {
  transport_ = Transport::kOther;
  protocol_ = protocol;
  return *this;
}

PacketBuilder& PacketBuilder::payload(std::string_view text) {
  return payload(Bytes(text.begin(), text.end()));
}

PacketBuilder& PacketBuilder::payload(Bytes bytes) {
  payload_ = std::move(bytes);
  return *this;
}

PacketBuilder& PacketBuilder::arp(Big16 operation, std::string_view sender_mac,
                                  std::string_view sender_address, std::string_view target_mac,
                                  std::string_view target_address) {
  is_ip_ = false;
  ether_type_ = kEtherTypeArp;
  const ArpPacket arp{kArpHardwareEthernet,
                      kEtherTypeIpv4,
                      6,
                      4,
                      operation,
                      mac_address(sender_mac),
                      ip_address(sender_address).v4_bytes(),
                      mac_address(target_mac),
                      ip_address(target_address).v4_bytes()};
  Bytes bytes;
  append(bytes, arp);
  return payload(std::move(bytes));
}

PacketBuilder& PacketBuilder::neighbor_solicitation(std::string_view target,
                                                    std::string_view source_mac) {
  Bytes bytes;
  append(bytes, ip_address(target).bytes());
  if (!source_mac.empty()) {
    append(bytes, NdLinkLayerAddressOption{kNdSourceLinkLayerAddress, 1, mac_address(source_mac)});
  }
  return ttl(kNdHopLimit).icmp(kIcmpv6NeighborSolicitation, 0).payload(std::move(bytes));
}

PacketBuilder& PacketBuilder::neighbor_advertisement(std::string_view target, uint8_t flags,
                                                     std::string_view target_mac) {
  Bytes bytes;
  append(bytes, ip_address(target).bytes());
  if (!target_mac.empty()) {
    append(bytes, NdLinkLayerAddressOption{kNdTargetLinkLayerAddress, 1, mac_address(target_mac)});
  }
  return ttl(kNdHopLimit)
      .icmp(kIcmpv6NeighborAdvertisement, 0, {flags, 0, 0, 0})
      .payload(std::move(bytes));
}

IpProtocol PacketBuilder::transport_protocol() const {
  switch (transport_) {
    case Transport::kTcp:
      return IpProtocol::kTcp;
    case Transport::kUdp:
      return IpProtocol::kUdp;
    case Transport::kIcmp:
      return source_.is_v4() ? IpProtocol::kIcmp : IpProtocol::kIcmpv6;
    case Transport::kOther:
      return protocol_;
    case Transport::kNone:
      break;
  }
  return IpProtocol::kNoNext;
}

Bytes PacketBuilder::tcp_bytes() const {
  TcpHeader header{};
  header.source_port = source_port_;
  header.destination_port = destination_port_;
  header.sequence = Big32::from_host(sequence_);
  header.acknowledgment = Big32::from_host(acknowledgment_);
  header.set_header_length(sizeof(TcpHeader) + tcp_options_.size());
  header.flags = tcp_flags_;
  header.window = big(64240);
  Bytes bytes;
  append(bytes, header);
  append(bytes, tcp_options_);
  append(bytes, payload_);
  put_checksum(bytes, offsetof(TcpHeader, checksum),
               reference_transport_checksum(source_, destination_, IpProtocol::kTcp, bytes));
  return bytes;
}

Bytes PacketBuilder::udp_bytes() const {
  Bytes bytes;
  append(bytes,
         UdpHeader{source_port_, destination_port_, big(sizeof(UdpHeader) + payload_.size()), {}});
  append(bytes, payload_);
  if (udp_checksum_) {
    const uint16_t checksum =
        reference_transport_checksum(source_, destination_, IpProtocol::kUdp, bytes);
    put_checksum(bytes, offsetof(UdpHeader, checksum), checksum == 0 ? 0xffff : checksum);
  }
  return bytes;
}

Bytes PacketBuilder::icmp_bytes() const {
  Bytes bytes;
  append(bytes, icmp_);
  append(bytes, payload_);
  const uint16_t checksum =
      source_.is_v4()
          ? reference_checksum(bytes)
          : reference_transport_checksum(source_, destination_, IpProtocol::kIcmpv6, bytes);
  put_checksum(bytes, offsetof(IcmpHeader, checksum), checksum);
  return bytes;
}

Bytes PacketBuilder::transport_bytes() const {
  switch (transport_) {
    case Transport::kTcp:
      return tcp_bytes();
    case Transport::kUdp:
      return udp_bytes();
    case Transport::kIcmp:
      return icmp_bytes();
    case Transport::kOther:
    case Transport::kNone:
      break;
  }
  return payload_;
}

Bytes PacketBuilder::ipv4_bytes(Bytes segment) const {
  if (fragmented_) {
    const size_t first = std::min(fragment_offset_, segment.size());
    const size_t length = std::min(fragment_length_, segment.size() - first);
    segment.erase(segment.begin(), segment.begin() + static_cast<std::ptrdiff_t>(first));
    segment.resize(length);
  }
  const size_t header_length = sizeof(Ipv4Header) + ipv4_options_.size();
  Ipv4Header header{};
  header.set_version_and_header_length(header_length);
  header.traffic_class = traffic_class_;
  header.total_length = big(header_length + segment.size());
  header.identification = big(identification_ & 0xffff);
  header.fragment = big((dont_fragment_ ? kIpv4DontFragment : 0U) |
                        (more_fragments_ ? kIpv4MoreFragments : 0U) | (fragment_offset_ / 8));
  header.ttl = ttl_;
  header.protocol = wire_byte(transport_protocol());
  header.source = source_.v4_bytes();
  header.destination = destination_.v4_bytes();
  Bytes bytes;
  append(bytes, header);
  append(bytes, ipv4_options_);
  put_checksum(bytes, offsetof(Ipv4Header, checksum), reference_checksum(bytes));
  append(bytes, segment);
  return bytes;
}

Bytes PacketBuilder::fragment_header_body() const {
  Ipv6FragmentHeader header{};
  header.offset_and_flags = big((fragment_offset_ & 0xfff8) | (more_fragments_ ? 1 : 0));
  header.identification = Big32::from_host(identification_);
  Bytes bytes;
  append(bytes, header);
  bytes.erase(bytes.begin());
  return bytes;
}

Bytes PacketBuilder::ipv6_bytes(const Bytes& segment) const {
  // What is behind the fragment header is cut; what is before it is in every fragment.
  Bytes before;
  Bytes behind;
  bool cut = false;
  for (size_t i = 0; i < extensions_.size(); ++i) {
    const IpProtocol next =
        i + 1 < extensions_.size() ? extensions_[i + 1].type : transport_protocol();
    Bytes& part = cut ? behind : before;
    const bool is_fragment = extensions_[i].type == IpProtocol::kFragment;
    part.push_back(wire_byte(next));
    append(part, is_fragment ? fragment_header_body() : extensions_[i].body);
    cut = cut || is_fragment;
  }
  append(behind, segment);
  if (fragmented_) {
    const size_t first = std::min(fragment_offset_, behind.size());
    const size_t length = std::min(fragment_length_, behind.size() - first);
    behind.erase(behind.begin(), behind.begin() + static_cast<std::ptrdiff_t>(first));
    behind.resize(length);
  }
  Ipv6Header header{};
  header.set_version_class_flow(traffic_class_, 0);
  header.payload_length = big(before.size() + behind.size());
  header.next_header =
      wire_byte(extensions_.empty() ? transport_protocol() : extensions_.front().type);
  header.hop_limit = ttl_;
  header.source = source_.bytes();
  header.destination = destination_.bytes();
  Bytes bytes;
  append(bytes, header);
  append(bytes, before);
  append(bytes, behind);
  return bytes;
}

Bytes PacketBuilder::ip_bytes() const {
  const Bytes segment = transport_bytes();
  return source_.is_v4() ? ipv4_bytes(segment) : ipv6_bytes(segment);
}

Bytes PacketBuilder::ethernet_bytes() const {
  Bytes bytes;
  append(bytes, EthernetHeader{destination_mac_, source_mac_,
                               tags_.empty() ? ether_type_ : tags_.front().ether_type});
  for (size_t i = 0; i < tags_.size(); ++i) {
    append(bytes,
           VlanTag{tags_[i].control, i + 1 < tags_.size() ? tags_[i + 1].ether_type : ether_type_});
  }
  return bytes;
}

Frame PacketBuilder::build() const {
  Bytes bytes = ethernet_bytes();
  append(bytes, is_ip_ ? ip_bytes() : payload_);
  bytes.resize(std::max(bytes.size(), pad_to_));
  bytes.shrink_to_fit();
  return {std::move(bytes)};
}

}  // namespace ballast::testing
