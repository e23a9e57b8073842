#include "vrrp/datagram.h"

#include <cstring>

#include "dataplane/packet/wire.h"

namespace ballast::vrrp {

Ipv4Split split_ipv4(std::span<const uint8_t> packet, InterfaceIndex interface) {
  Ipv4Split split;
  split.datagram.interface = interface;
  split.datagram.source = IpAddress::v4({});
  split.datagram.destination = IpAddress::v4({});
  Ipv4Header header{};
  if (packet.size() < sizeof(header)) {
    return split;
  }
  std::memcpy(&header, packet.data(), sizeof(header));
  if (header.version() != 4) {
    return split;
  }
  split.datagram.source = IpAddress::v4(header.source);
  split.datagram.destination = IpAddress::v4(header.destination);
  split.datagram.ttl = header.ttl;
  const size_t header_length = header.header_length();
  if (header_length < sizeof(header) || header_length > packet.size() ||
      header.total_length.to_host() != packet.size() || header.is_fragment() ||
      header.protocol != wire_byte(IpProtocol::kVrrp)) {
    return split;
  }
  split.datagram.message = packet.subspan(header_length);
  split.is_whole = true;
  return split;
}

}  // namespace ballast::vrrp
