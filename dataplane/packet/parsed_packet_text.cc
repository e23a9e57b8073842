#include <fmt/format.h>

#include "dataplane/packet/parser.h"

namespace ballast {
namespace {

std::string flags_text(uint8_t flags) {
  std::string text;
  for (const auto& [flag, letter] :
       {std::pair{kSyn, 'S'}, std::pair{kFin, 'F'}, std::pair{kRst, 'R'}, std::pair{kPsh, 'P'},
        std::pair{kAck, 'A'}}) {
    if ((flags & flag) != 0) {
      text += letter;
    }
  }
  return text;
}

std::string addresses_text(const IpAddress& source, const IpAddress& destination) {
  return fmt::format("{} -> {}", source.to_string(), destination.to_string());
}

std::string inner_text(const InnerPacket& inner) {
  if (!inner.has_ports) {
    return fmt::format("{} {}", to_string(inner.protocol),
                       addresses_text(inner.source, inner.destination));
  }
  const FlowKey flow{inner.source, inner.destination, inner.source_port, inner.destination_port,
                     inner.protocol};
  return flow.to_string();
}

std::string body_text(const ParsedPacket& packet) {
  const std::string addresses = addresses_text(packet.source, packet.destination);
  const std::string protocol = to_string(packet.protocol);
  switch (packet.kind) {
    case PacketKind::kTransport: {
      const std::string flags = flags_text(packet.tcp_flags);
      return packet.flow_from_client().to_string() + (flags.empty() ? "" : " " + flags);
    }
    case PacketKind::kEchoRequest:
      return fmt::format("{} {} echo request", protocol, addresses);
    case PacketKind::kIcmpError:
      return fmt::format("{} {} type {} code {} about {}", protocol, addresses, packet.icmp_type,
                         packet.icmp_code, inner_text(packet.inner));
    case PacketKind::kIcmpOther:
    case PacketKind::kNeighborDiscovery:
      return fmt::format("{} {} type {} code {}", protocol, addresses, packet.icmp_type,
                         packet.icmp_code);
    case PacketKind::kLaterFragment:
    case PacketKind::kOtherIp:
      return fmt::format("{} {}", protocol, addresses);
    case PacketKind::kArp:
      return fmt::format("arp {}", addresses);
    case PacketKind::kNotIp:
      return "not ip";
  }
  return "unknown kind";
}

}  // namespace

std::string to_string(const ParsedPacket& packet) {
  std::string text = body_text(packet);
  if (packet.fragment) {
    text += packet.kind == PacketKind::kLaterFragment ? " later fragment" : " first fragment";
  }
  if (packet.vlan_tags != 0) {
    text += fmt::format(" vlan {}", packet.vlan_id);
  }
  return text;
}

}  // namespace ballast
