// The other end of a tunnel, simple and by the RFCs, and what must hold of encapsulate() for every
// frame: shared by unit tests and the fuzzer. Shares no code with dataplane/rewrite.
#pragma once

#include <cstdint>
#include <string>

#include "dataplane/rewrite/ip_tunnel.h"
#include "tests/unit/packet_builder.h"

namespace ballast::testing {

struct Decapsulated {
  std::string fault;  // why the packet would be refused; empty: it is taken
  IpAddress source;   // outer
  IpAddress destination;
  uint8_t ttl = 0;
  uint8_t traffic_class = 0;
  bool dont_fragment = false;   // IPv4
  uint16_t identification = 0;  // IPv4
  uint32_t flow_label = 0;      // IPv6
  uint16_t source_port = 0;     // GUE
  uint16_t destination_port = 0;
  uint16_t udp_checksum = 0;
  Bytes link;      // Ethernet header and tags, up to the outer IP header
  size_t end = 0;  // of the outer packet in the frame
  Bytes inner;
};

Decapsulated decapsulate(const Frame& frame, Encapsulation encapsulation);

struct Encapsulated {
  RewriteResult result;
  Frame frame;            // as it begins and ends now
  Bytes headroom;         // what is left in front of it
  size_t frame_size = 0;  // that of a chained frame counts what is in other segments
};

// In a heap buffer of exactly `headroom` bytes and the frame. `missing` bytes are in other
// segments.
Encapsulated encapsulated(const TunnelHeader& tunnel, const Frame& frame,
                          const ParsedPacket& packet, const OuterFields& outer, size_t headroom,
                          size_t missing = 0);

// Empty when all properties hold for the frame in every kind of tunnel, else the one that does not.
std::string violated_encapsulation(const Bytes& bytes, uint32_t seed);

}  // namespace ballast::testing
