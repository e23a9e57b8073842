// The headers of an answer that is built over the packet it answers: Ethernet turned around, and an
// IP header without options. VLAN tags lie between the two and stay as they are.
#pragma once

#include <cstdint>

#include "dataplane/packet/address.h"
#include "dataplane/packet/frame_buffer.h"
#include "dataplane/packet/numbers.h"

namespace ballast {

inline constexpr uint8_t kAnswerTtl = 64;
// Internetwork control, for ICMP errors (RFC 1812 section 4.3.2.5).
inline constexpr uint8_t kTrafficClassControl = 0xc0;

struct AnswerHeaders {
  MacAddress source_mac;
  IpAddress source;  // of one family with the destination
  IpAddress destination;
  IpProtocol protocol{};
  uint8_t traffic_class = 0;
  uint16_t network_offset = 0;
  uint16_t payload_length = 0;  // behind the IP header
};

// Bytes of the IP header that write_answer_headers() writes.
uint16_t answer_header_length(Family family);

// Writes both headers and sets the frame's length to the end of the payload. The caller has seen to
// it that all of that fits the capacity, and has moved away what it still needs.
void write_answer_headers(FrameBuffer& frame, const AnswerHeaders& headers);

}  // namespace ballast
