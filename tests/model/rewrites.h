// What a packet becomes, written from the RFCs: every header anew, every checksum over all that it
// covers. Nothing here is shared with dataplane/rewrite.
//
// Two checksums can say the same: 0 and 0xffff both are zero in ones' complement. Where a rewrite
// may leave either, its place is listed in Written::either_zero.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "dataplane/packet/address.h"
#include "tests/model/dissect.h"
#include "tests/model/setup.h"

namespace ballast::model {

struct Written {
  Bytes frame;
  std::vector<size_t> either_zero;  // places of 16-bit checksums
};

struct End16 {  // an address and a port
  IpAddress address;
  uint16_t port = 0;

  friend auto operator<=>(const End16&, const End16&) = default;
};

// What replaces source and destination; an end that is not named stays.
struct Ends {
  std::optional<End16> source;
  std::optional<End16> destination;
};

// NAT. A checksum that was wrong stays wrong by as much, so that the damage is still seen.
[[nodiscard]] Written translate(const Bytes& frame, const Dissection& seen, const Ends& to,
                                bool decrement_ttl);

// An ICMP error whose packet is translated by `to`; what it quotes, the other way round.
[[nodiscard]] Written translate_error(const Bytes& frame, const Dissection& seen, const Ends& to,
                                      bool decrement_ttl);

struct Outer {
  IpAddress source;
  IpAddress destination;
  Wrapping wrapping = Wrapping::kIpip;
  uint8_t ttl = 64;
  uint16_t identification = 0;
  uint32_t flow_label = 0;
  uint16_t source_port = 0;
  uint16_t gue_port = 6080;
  bool is_cut = false;  // into fragments, on its way out
};
[[nodiscard]] size_t tunnel_overhead(Wrapping wrapping, Family outer);
// A GUE checksum over IPv6 may be derived from the segment's own: where that is wrong, so is this.
[[nodiscard]] bool is_damaged(const Bytes& frame, const Dissection& seen);
[[nodiscard]] Written wrap(const Bytes& frame, const Dissection& seen, const Outer& outer);

// The options of a SYN lowered to `maximum` (RFC 9293 section 3.7.1).
[[nodiscard]] Written clamp(const Bytes& frame, const Dissection& seen, uint16_t maximum);

// --- answers, to be sent back from `mac`
[[nodiscard]] Bytes reset_for(const Bytes& frame, const Dissection& seen, const MacAddress& mac);
[[nodiscard]] Bytes error_about(const Bytes& frame, const Dissection& seen, uint8_t type,
                                uint8_t code, uint16_t mtu, const IpAddress& source,
                                const MacAddress& mac);
[[nodiscard]] Written echo_reply_to(const Bytes& frame, const Dissection& seen);
[[nodiscard]] Bytes arp_reply_to(const Bytes& frame, const Dissection& seen, const MacAddress& mac);
[[nodiscard]] Bytes advertisement_for(const Bytes& frame, const Dissection& seen,
                                      const MacAddress& mac, bool router);

// Whether anybody may be told about this packet (RFC 1122 section 3.2.2, RFC 4443 section 2.4 (e)).
[[nodiscard]] bool may_be_answered(const Bytes& frame, const Dissection& seen);

}  // namespace ballast::model
