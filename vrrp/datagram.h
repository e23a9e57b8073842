// An advert as a socket gives it: the message, and what the IP header and the kernel said about it.
//
// A raw IPv4 socket delivers the whole packet, header included; a raw IPv6 socket the payload
// alone, with addresses and hop limit beside it (IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT). From here on
// they look the same.
#pragma once

#include <cstdint>
#include <span>

#include "vrrp/identity.h"

namespace ballast::vrrp {

struct Datagram {
  InterfaceIndex interface {};  // on which it came
  IpAddress source;
  IpAddress destination;
  uint8_t ttl = 0;
  std::span<const uint8_t> message;
};

struct Ipv4Split {
  Datagram datagram;
  bool is_whole = false;  // else AdvertFault::kIpLength, and no message
};

// Takes the IPv4 header off. The kernel has verified its checksum and reassembled fragments. The
// source is known whenever the header is long enough to hold one, so that an offender can be named.
Ipv4Split split_ipv4(std::span<const uint8_t> packet, InterfaceIndex interface);

}  // namespace ballast::vrrp
