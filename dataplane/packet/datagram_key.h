// By what the fragments of one datagram are known to belong together.
#pragma once

#include "dataplane/packet/flow_key.h"
#include "dataplane/packet/parser.h"
#include "dataplane/packet/wire.h"

namespace ballast {

// Source, destination and identification; in IPv4 the protocol too (RFC 791 section 3.2), in IPv6
// not: there a later fragment need not name the protocol that the first one does (RFC 8200 section
// 4.5), nor can it where the first begins with further extension headers.
//
// It has the shape of a flow, so that it is hashed and compared as one; a type of its own, so that
// it is never looked up among flows.
struct DatagramKey {
  FlowKey tuple;  // client: source; vip: destination

  static DatagramKey of(const ParsedHeaders& fragment) {
    // What is in no IPv4 identification has room for the protocol.
    const uint32_t id = fragment.family == Family::kIpv4
                            ? uint32_t{wire_byte(fragment.protocol)} << 16 | fragment.fragment_id
                            : fragment.fragment_id;
    return {{fragment.source,
             fragment.destination,
             Big16::from_host(static_cast<uint16_t>(id >> 16)),
             Big16::from_host(static_cast<uint16_t>(id)),
             {}}};
  }

  friend bool operator==(const DatagramKey&, const DatagramKey&) = default;
};

}  // namespace ballast
