// What became of a packet, in a line as an engineer would write it down:
//
//   lan, lan > server2: client:40000 > server2:9000 tcp S ttl 63
//
//   wan, wan > client: vip > client icmp port-unreachable ttl 63 { client:40000 > vip:8053 udp ...
//   }
//
//   lan, lan > server1: lan > server1 gre/4in6 ttl 64 { client:40000 > vip:6001 tcp S ttl 64 }
//
//   dropped: reply_unmatched
//
//   answered ttl_expired: wan, wan > client: ...
//
//   kernel: server1 > wan: ...
//
// In front of the colon the port that it leaves by, and the MACs; behind it the IP packet. Both
// families have the same names, those of Family4or6. It is read from the bytes, by code that shares
// nothing with the dataplane, and every checksum that can be computed is: a wrong one is the note's
// last word.
#pragma once

#include <string>

#include "tests/unit/pipeline/test_network.h"

namespace ballast::testing {

std::string note(const Outcome& outcome);
// Of a frame's IP packet.
std::string note_ip(const Frame& frame);

std::string name_of(const IpAddress& address);
std::string name_of(const MacAddress& address);

}  // namespace ballast::testing
