// Frames for tests, written the way a network engineer speaks of them, with right lengths and
// checksums.
//
//   Frame syn = packet().ip("198.51.100.7", "192.0.2.10").tcp(40000, 80, kSyn).build();
//   Frame dns = packet().vlan(7).ip("2001:db8:1::7", "2001:db8::10").udp(5353,
//   53).payload("query").build(); Frame err = packet().ip("203.0.113.1",
//   "192.0.2.10").icmp_error(3, 4, reply, mtu(1400)).build();
//
// Both families are built by the same calls; ip() takes the family from the text. What the builder
// fills in can be broken afterwards: Frame gives its headers for writing, and finds every checksum
// that is wrong by a slow reference of its own, which shares no code with
// dataplane/packet/checksum.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/packet/address.h"
#include "dataplane/packet/packet_view.h"
#include "dataplane/packet/parser.h"
#include "dataplane/packet/wire.h"

namespace ballast::testing {

using Bytes = std::vector<uint8_t>;

// The addresses of a frame for which the test names none.
inline constexpr std::string_view kClientMac = "02:00:00:00:00:c1";
inline constexpr std::string_view kBalancerMac = "02:00:00:00:00:1b";

// From text that is known to be right; ends the test program otherwise.
IpAddress ip_address(std::string_view text);
MacAddress mac_address(std::string_view text);

// The four bytes behind an ICMP checksum.
std::array<uint8_t, 4> mtu(uint16_t bytes);     // of "fragmentation needed", IPv4
std::array<uint8_t, 4> mtu_v6(uint32_t bytes);  // of "packet too big"
std::array<uint8_t, 4> echo_fields(uint16_t identifier, uint16_t sequence);

// What a fragment says of itself; all zero for a whole packet.
struct FragmentNotes {
  uint32_t id = 0;
  size_t begin = 0;  // bytes [begin, end) of what is fragmented
  size_t end = 0;
  bool more = false;

  friend bool operator==(const FragmentNotes&, const FragmentNotes&) = default;
};

// A finished frame. Copies and compares as a value.
struct Frame {
  Bytes bytes;

  [[nodiscard]] size_t size() const { return bytes.size(); }
  [[nodiscard]] PacketView view() { return {bytes.data(), bytes.size()}; }

  // Headers where a parser of its own, simple and for well-formed frames only, finds them; null
  // when absent.
  [[nodiscard]] EthernetHeader* ethernet();
  [[nodiscard]] Ipv4Header* ipv4();
  [[nodiscard]] Ipv6Header* ipv6();
  [[nodiscard]] TcpHeader* tcp();
  [[nodiscard]] UdpHeader* udp();
  [[nodiscard]] IcmpHeader* icmp();
  [[nodiscard]] ArpPacket* arp();

  [[nodiscard]] size_t network_offset() const;    // behind Ethernet and VLAN tags
  [[nodiscard]] size_t transport_offset() const;  // behind the IP headers; 0 when not IP
  [[nodiscard]] IpProtocol protocol() const;      // at transport_offset()
  [[nodiscard]] FragmentNotes fragment() const;
  [[nodiscard]] Bytes network_bytes() const;  // the IP packet, Ethernet padding left out
  [[nodiscard]] Bytes payload() const;        // behind the TCP, UDP or ICMP header

  // Writes right checksums after a test has changed fields.
  void fix_checksums();
  // Empty when the checksums of IPv4, TCP, UDP and ICMP headers are right, else which is not: "tcp
  // checksum".
  [[nodiscard]] std::string wrong_checksum() const;

  [[nodiscard]] Frame truncated(size_t size) const {
    return {Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size))};
  }

  friend bool operator==(const Frame&, const Frame&) = default;
};
// As a hex dump in test failures.
void PrintTo(const Frame& frame, std::ostream* out);

// A copy of bytes in a heap buffer of exactly their size, so that AddressSanitizer sees every read
// beyond.
class ExactBuffer {
 public:
  explicit ExactBuffer(const Bytes& bytes, size_t tailroom = 0);

  [[nodiscard]] uint8_t* data() const { return data_.get(); }
  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] PacketView view() const { return {data_.get(), size_}; }

 private:
  size_t size_;
  std::unique_ptr<uint8_t[]> data_;
};

// The ones-complement checksum, byte by byte; what a header field must hold for these bytes.
uint16_t reference_checksum(const Bytes& bytes);
// The same over pseudo header and segment. `source` and `destination` are of one family.
uint16_t reference_transport_checksum(const IpAddress& source, const IpAddress& destination,
                                      IpProtocol protocol, const Bytes& segment);

class PacketBuilder {
 public:
  // ---- Ethernet ----
  PacketBuilder& ethernet(std::string_view source, std::string_view destination);
  PacketBuilder& vlan(uint16_t id,
                      bool service_tag = false);  // call twice for two tags, the outer one first
  PacketBuilder& ether_type(uint16_t value);      // for what is not IP and not ARP
  PacketBuilder& pad_to(size_t frame_size);       // Ethernet padding behind the packet

  // ---- IP ----
  PacketBuilder& ip(std::string_view source, std::string_view destination);
  PacketBuilder& ip(const IpAddress& source, const IpAddress& destination);
  PacketBuilder& ttl(uint8_t value);  // or hop limit
  PacketBuilder& traffic_class(uint8_t value);
  PacketBuilder& identification(uint32_t value);
  PacketBuilder& dont_fragment();
  PacketBuilder& ipv4_options(Bytes options);  // padded to a multiple of four
  // Cuts the packet: only bytes [offset, offset + length) of what follows the IP header (for IPv6:
  // of what follows the fragment header) are sent. `offset` is a multiple of 8; length SIZE_MAX
  // means all the rest.
  PacketBuilder& fragment(size_t offset, size_t length, bool more);
  // IPv6 extension headers in the order of the calls. `body` is padded to the header's unit of 8
  // bytes.
  PacketBuilder& extension(IpProtocol type, Bytes body = {});
  PacketBuilder& routing(uint8_t type, uint8_t segments_left, size_t addresses = 1);
  PacketBuilder& fragment_header();  // at this place of the chain; fragment() alone puts it last

  // ---- what IP carries ----
  PacketBuilder& tcp(uint16_t source_port, uint16_t destination_port, uint8_t flags);
  PacketBuilder& sequence(uint32_t sequence, uint32_t acknowledgment = 0);
  PacketBuilder& tcp_options(Bytes options);  // padded to a multiple of four
  PacketBuilder& udp(uint16_t source_port, uint16_t destination_port);
  PacketBuilder& udp_without_checksum();
  PacketBuilder& icmp(uint8_t type, uint8_t code,
                      std::array<uint8_t, 4> rest = {});  // ICMPv6 on IPv6
  PacketBuilder& echo_request(uint16_t identifier, uint16_t sequence);
  // An error that quotes the IP packet of `quoted`, cut to `quoted_bytes`.
  PacketBuilder& icmp_error(uint8_t type, uint8_t code, const Frame& quoted,
                            std::array<uint8_t, 4> rest = {}, size_t quoted_bytes = SIZE_MAX);
  PacketBuilder& protocol(IpProtocol protocol);  // any other; its bytes are the payload
  PacketBuilder& payload(std::string_view text);
  PacketBuilder& payload(Bytes bytes);

  // ---- address resolution ----
  PacketBuilder& arp(Big16 operation, std::string_view sender_mac, std::string_view sender_address,
                     std::string_view target_mac, std::string_view target_address);
  // Hop limit 255. The link-layer address option is left out when its MAC is empty.
  PacketBuilder& neighbor_solicitation(std::string_view target, std::string_view source_mac = {});
  PacketBuilder& neighbor_advertisement(std::string_view target, uint8_t flags,
                                        std::string_view target_mac = {});

  [[nodiscard]] Frame build() const;

 private:
  struct Extension {
    IpProtocol type;
    Bytes body;  // without the next-header byte
  };
  enum class Transport : uint8_t { kNone, kTcp, kUdp, kIcmp, kOther };

  [[nodiscard]] Bytes ethernet_bytes() const;
  [[nodiscard]] Bytes ip_bytes() const;
  [[nodiscard]] Bytes ipv4_bytes(Bytes segment) const;
  [[nodiscard]] Bytes ipv6_bytes(const Bytes& segment) const;
  [[nodiscard]] Bytes transport_bytes() const;
  [[nodiscard]] Bytes tcp_bytes() const;
  [[nodiscard]] Bytes udp_bytes() const;
  [[nodiscard]] Bytes icmp_bytes() const;
  [[nodiscard]] IpProtocol transport_protocol() const;
  [[nodiscard]] Bytes fragment_header_body() const;

  MacAddress source_mac_ = mac_address(kClientMac);
  MacAddress destination_mac_ = mac_address(kBalancerMac);
  std::vector<VlanTag> tags_;  // the tag's own EtherType is kept in ether_type
  Big16 ether_type_ = kEtherTypeIpv4;
  size_t pad_to_ = 0;

  bool is_ip_ = false;
  IpAddress source_;
  IpAddress destination_;
  uint8_t ttl_ = 64;
  uint8_t traffic_class_ = 0;
  uint32_t identification_ = 0x1234;
  bool dont_fragment_ = false;
  Bytes ipv4_options_;
  std::vector<Extension> extensions_;
  bool fragmented_ = false;
  size_t fragment_offset_ = 0;
  size_t fragment_length_ = SIZE_MAX;
  bool more_fragments_ = false;

  Transport transport_ = Transport::kNone;
  IpProtocol protocol_{};
  Big16 source_port_;
  Big16 destination_port_;
  uint8_t tcp_flags_ = 0;
  uint32_t sequence_ = 1000;
  uint32_t acknowledgment_ = 0;
  Bytes tcp_options_;
  bool udp_checksum_ = true;
  IcmpHeader icmp_{};
  Bytes payload_;
};

inline PacketBuilder packet() {
  return {};
}

}  // namespace ballast::testing
