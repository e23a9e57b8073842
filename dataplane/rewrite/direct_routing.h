// Direct routing (DR): the server has the VIP itself, so that only the frame's addresses change;
// the IP packet, TTL included, leaves as it came.
#pragma once

#include "dataplane/packet/address.h"
#include "dataplane/packet/packet_view.h"
#include "dataplane/packet/wire.h"

namespace ballast {

// `frame` is one that the parser accepted: it begins with an Ethernet header.
inline void rewrite_direct_routing(PacketView frame, const MacAddress& source,
                                   const MacAddress& destination) {
  auto* ethernet = frame.header_at<EthernetHeader>(0);
  ethernet->destination = destination;
  ethernet->source = source;
}

}  // namespace ballast
