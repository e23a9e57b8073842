// What a packet is, as the model sees it: a dissector of its own, in the order of the RFCs.
//
// It looks at one header after the other, from the outermost on, and within a header first whether
// it is all there, then whether it is well-formed, then at what it says. The first fault counts.
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/packet/address.h"
#include "dataplane/packet/drop_reason.h"
#include "tests/model/octets.h"

namespace ballast::model {

inline constexpr uint8_t kProtocolIcmp = 1;
inline constexpr uint8_t kProtocolIpip = 4;
inline constexpr uint8_t kProtocolTcp = 6;
inline constexpr uint8_t kProtocolUdp = 17;
inline constexpr uint8_t kProtocolIpv6 = 41;
inline constexpr uint8_t kProtocolGre = 47;
inline constexpr uint8_t kProtocolIcmpv6 = 58;

inline constexpr uint8_t kFlagFin = 1;
inline constexpr uint8_t kFlagSyn = 2;
inline constexpr uint8_t kFlagRst = 4;
inline constexpr uint8_t kFlagPsh = 8;
inline constexpr uint8_t kFlagAck = 16;

enum class Sort : uint8_t {
  kTransport,  // TCP or UDP with ports
  kEchoRequest,
  kIcmpError,
  kIcmpOther,
  kLaterFragment,
  kOtherIp,
  kArp,
  kNeighborDiscovery,
  kNotIp,
};

// The packet that an ICMP error is about.
struct Quote {
  size_t network = 0;  // of its IP header, from the start of the frame
  size_t transport = 0;
  IpAddress source;
  IpAddress destination;
  uint8_t protocol = 0;
  bool has_ports = false;
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
};

struct Dissection {
  DropReason fault = DropReason::kNone;
  Sort sort = Sort::kNotIp;
  Family family = Family::kIpv4;
  int vlan_tags = 0;
  uint16_t vlan_id = 0;  // of the outer one
  size_t network = 0;    // where the IP header begins
  size_t transport = 0;  // where what it carries begins
  size_t end = 0;        // of the IP packet
  IpAddress source;
  IpAddress destination;
  uint8_t protocol = 0;
  uint8_t ttl = 0;
  uint8_t tos = 0;
  uint32_t fragment_id = 0;
  size_t fragment_offset = 0;
  size_t fragment_length = 0;  // bytes of the datagram that this one carries
  bool more_fragments = false;
  bool fragment_header = false;  // IPv6
  bool dont_fragment = false;    // IPv4
  uint16_t source_port = 0;
  uint16_t destination_port = 0;
  uint8_t tcp_flags = 0;  // FIN to ACK
  uint32_t sequence = 0;
  uint32_t acknowledgement = 0;
  size_t payload = 0;  // bytes behind the TCP or UDP header
  uint8_t icmp_type = 0;
  uint8_t icmp_code = 0;
  Quote quote;

  [[nodiscard]] bool is_v4() const { return family == Family::kIpv4; }
  [[nodiscard]] bool is_fragment() const { return more_fragments || fragment_offset != 0; }
  [[nodiscard]] size_t length() const { return end - network; }
  [[nodiscard]] size_t transport_length() const { return end - transport; }
};

[[nodiscard]] Dissection dissect(const Bytes& frame);

}  // namespace ballast::model
