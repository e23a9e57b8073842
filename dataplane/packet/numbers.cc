#include "dataplane/packet/numbers.h"

namespace ballast {

std::string to_string(IpProtocol protocol) {
  switch (protocol) {
    case IpProtocol::kHopByHop:
      return "hop-by-hop";
    case IpProtocol::kIcmp:
      return "icmp";
    case IpProtocol::kIpIp:
      return "ipip";
    case IpProtocol::kTcp:
      return "tcp";
    case IpProtocol::kUdp:
      return "udp";
    case IpProtocol::kIpv6:
      return "ipv6";
    case IpProtocol::kRouting:
      return "routing";
    case IpProtocol::kFragment:
      return "fragment";
    case IpProtocol::kGre:
      return "gre";
    case IpProtocol::kEsp:
      return "esp";
    case IpProtocol::kAuthentication:
      return "ah";
    case IpProtocol::kIcmpv6:
      return "icmpv6";
    case IpProtocol::kNoNext:
      return "none";
    case IpProtocol::kDestinationOptions:
      return "destination-options";
    case IpProtocol::kVrrp:
      return "vrrp";
  }
  return "protocol " + std::to_string(static_cast<unsigned>(protocol));
}

}  // namespace ballast
