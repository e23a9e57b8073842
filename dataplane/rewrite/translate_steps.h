// The steps that translate(), its short way in nat.h and translate_icmp_error() have in common. For
// the rewrites' own files only.
#pragma once

#include "dataplane/packet/checksum.h"
#include "dataplane/packet/wire.h"
#include "dataplane/rewrite/rewrite_result.h"

namespace ballast::translate_steps {

// TTL and protocol share a word of the IPv4 header, which its checksum changes by.
inline void decrement_ttl(Ipv4Header& ip, ChecksumDelta& header) {
  const auto word = [&] {
    return Big16::from_host(static_cast<uint16_t>(ip.ttl << 8 | ip.protocol));
  };
  const Big16 before = word();
  --ip.ttl;
  header.replace(before, word());
}

// An address or a port, and what its checksums change by.
template <typename Field>
inline void replace(Field& field, const Field& value, ChecksumDelta& delta) {
  const Field before = field;
  field = value;
  delta.replace(before, value);
}

inline void replace(IpAddress::V4Bytes& field, const IpAddress& value, ChecksumDelta& delta) {
  replace(field, value.v4_bytes(), delta);
}
inline void replace(IpAddress::V6Bytes& field, const IpAddress& value, ChecksumDelta& delta) {
  replace(field, value.bytes(), delta);
}

// Ends an IP header whose addresses changed by `addresses`.
inline void finish_header(Ipv4Header& ip, TtlAction ttl, const ChecksumDelta& addresses) {
  ChecksumDelta header = addresses;
  if (ttl == TtlAction::kDecrement) {
    decrement_ttl(ip, header);
  }
  ip.checksum = header.apply(ip.checksum);
}
inline void finish_header(Ipv6Header& ip, TtlAction ttl, const ChecksumDelta& /*addresses*/) {
  if (ttl == TtlAction::kDecrement) {
    --ip.hop_limit;
  }
}

}  // namespace ballast::translate_steps
