#include "dataplane/pipeline/punt.h"

#include <algorithm>

namespace ballast {
namespace {

constexpr uint16_t kBgp = 179;           // RFC 4271
constexpr uint16_t kBfdControl = 3784;   // RFC 5881
constexpr uint16_t kBfdEcho = 3785;      // RFC 5881
constexpr uint16_t kBfdMultihop = 4784;  // RFC 5883

bool is_routing(const ParsedPacket& packet) {
  const uint16_t source = packet.source_port.to_host();
  const uint16_t destination = packet.destination_port.to_host();
  if (packet.protocol == IpProtocol::kTcp) {
    return source == kBgp || destination == kBgp;
  }
  return destination == kBfdControl || destination == kBfdEcho || destination == kBfdMultihop;
}

// A tenth of a second's worth, and never less than a handful.
TokenBucket bucket_for(uint32_t per_second) {
  return {per_second, per_second == 0 ? 0 : std::max<uint32_t>(per_second / 10, 32)};
}

}  // namespace

PuntClass punt_class_of(const ParsedPacket& packet) {
  switch (packet.kind) {
    case PacketKind::kArp:
    case PacketKind::kNeighborDiscovery:
      return PuntClass::kNeighbor;
    case PacketKind::kOtherIp:
      return packet.protocol == IpProtocol::kVrrp ? PuntClass::kVrrp : PuntClass::kOther;
    case PacketKind::kTransport:
      return is_routing(packet) ? PuntClass::kRouting : PuntClass::kOther;
    case PacketKind::kEchoRequest:
    case PacketKind::kIcmpError:
    case PacketKind::kIcmpOther:
    case PacketKind::kLaterFragment:
    case PacketKind::kNotIp:
      return PuntClass::kOther;
  }
  return PuntClass::kOther;
}

PuntLimiter::PuntLimiter(const PuntLimits& limits)
    : buckets_{bucket_for(limits.vrrp), bucket_for(limits.neighbor), bucket_for(limits.routing),
               bucket_for(limits.other)} {}

}  // namespace ballast
