#include "tests/unit/rewrite/tunnel_check.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "tests/unit/rewrite/reference_update.h"
#include "tests/unit/rewrite/translation_check.h"

namespace ballast::testing {
namespace {

constexpr uint8_t kSentinel = 0xa5;

Bytes part(const Bytes& bytes, size_t first, size_t end) {
  return {bytes.begin() + static_cast<std::ptrdiff_t>(first),
          bytes.begin() + static_cast<std::ptrdiff_t>(end)};
}

IpAddress address_at(const Bytes& bytes, size_t at, bool v4) {
  IpAddress::V4Bytes four{};
  IpAddress::V6Bytes sixteen{};
  std::memcpy(v4 ? four.data() : sixteen.data(), bytes.data() + at, v4 ? 4 : 16);
  return v4 ? IpAddress::v4(four) : IpAddress::v6(sixteen);
}

// The outer IP header; what is behind it begins at the result.
size_t read_outer_ipv4(const Bytes& bytes, size_t at, Decapsulated& out, uint8_t& protocol) {
  if (bytes.at(at) != 0x45) {
    out.fault = "outer version or header length";
  } else if (reference_checksum(part(bytes, at, at + 20)) != 0) {
    out.fault = "outer IPv4 checksum";
  } else if ((reference_word(bytes, at + 6) & 0xbfff) != 0) {
    out.fault = "outer fragment field";
  }
  out.traffic_class = bytes.at(at + 1);
  out.end = at + reference_word(bytes, at + 2);
  out.identification = reference_word(bytes, at + 4);
  out.dont_fragment = (bytes.at(at + 6) & 0x40) != 0;
  out.ttl = bytes.at(at + 8);
  protocol = bytes.at(at + 9);
  out.source = address_at(bytes, at + 12, true);
  out.destination = address_at(bytes, at + 16, true);
  return at + 20;
}

size_t read_outer_ipv6(const Bytes& bytes, size_t at, Decapsulated& out, uint8_t& protocol) {
  if (bytes.at(at) >> 4 != 6) {
    out.fault = "outer version";
  }
  out.traffic_class = static_cast<uint8_t>(reference_word(bytes, at) >> 4);
  out.flow_label = (bytes.at(at + 1) & 0x0fU) << 16 | reference_word(bytes, at + 2);
  out.end = at + 40 + reference_word(bytes, at + 4);
  protocol = bytes.at(at + 6);
  out.ttl = bytes.at(at + 7);
  out.source = address_at(bytes, at + 8, false);
  out.destination = address_at(bytes, at + 24, false);
  return at + 40;
}

// Empty, or what is wrong with GRE.
std::string read_gre(const Bytes& bytes, size_t at, uint8_t& inner) {
  if (reference_word(bytes, at) != 0) {
    return "GRE flags";
  }
  const uint16_t type = reference_word(bytes, at + 2);
  inner = type == 0x0800 ? 4 : type == 0x86dd ? 41 : 0;
  return "";
}

std::string read_gue(const Bytes& bytes, size_t at, Decapsulated& out, uint8_t& inner) {
  out.source_port = reference_word(bytes, at);
  out.destination_port = reference_word(bytes, at + 2);
  out.udp_checksum = reference_word(bytes, at + 6);
  if (at + reference_word(bytes, at + 4) != out.end) {
    return "UDP length";
  }
  if (out.udp_checksum != 0 && out.end <= bytes.size() &&
      reference_transport_checksum(out.source, out.destination, IpProtocol::kUdp,
                                   part(bytes, at, out.end)) != 0) {
    return "UDP checksum";
  }
  if (bytes.at(at + 8) != 0 || reference_word(bytes, at + 10) != 0) {
    return "GUE variant, length or flags";
  }
  inner = bytes.at(at + 9);
  return "";
}

size_t model_overhead(Encapsulation encapsulation, bool v4) {
  const size_t shim = encapsulation == Encapsulation::kIpIp  ? 0
                      : encapsulation == Encapsulation::kGre ? 4
                                                             : 12;
  return (v4 ? 20 : 40) + shim;
}

bool is_forwarded_ip(PacketKind kind) {
  return kind != PacketKind::kArp && kind != PacketKind::kNotIp &&
         kind != PacketKind::kNeighborDiscovery;
}

// What differs between what came out and what should have.
std::string difference(const Decapsulated& found, Frame& frame, const ParsedPacket& packet,
                       const Tunnel& tunnel, const OuterFields& outer) {
  const bool inner_v4 = packet.family == Family::kIpv4;
  const bool outer_v4 = tunnel.destination.is_v4();
  if (!found.fault.empty()) {
    return found.fault;
  }
  if (found.inner != part(frame.bytes, packet.network_offset,
                          size_t{packet.network_offset} + packet.network_length)) {
    return "the inner packet has changed";
  }
  if (found.source != outer.source || found.destination != tunnel.destination ||
      found.ttl != tunnel.ttl) {
    return "outer addresses or TTL";
  }
  const uint8_t traffic_class =
      inner_v4 ? frame.ipv4()->traffic_class : frame.ipv6()->traffic_class();
  if (found.traffic_class != traffic_class) {
    return "DSCP or ECN";
  }
  const bool dont_fragment = !inner_v4 || frame.ipv4()->dont_fragment() ||
                             tunnel.dont_fragment == OuterDontFragment::kAlways;
  if (outer_v4 && (found.dont_fragment != dont_fragment ||
                   found.identification != (dont_fragment ? 0 : outer.identification))) {
    return "DF or identification";
  }
  if (!outer_v4 && found.flow_label == 0) {
    return "flow label";
  }
  if (tunnel.encapsulation == Encapsulation::kGue &&
      (found.source_port < 49152 || found.destination_port != tunnel.gue_port.to_host())) {
    return "UDP ports";
  }
  Bytes link = part(frame.bytes, 0, packet.network_offset);
  put_reference_word(link, link.size() - 2, outer_v4 ? 0x0800 : 0x86dd);
  return found.link == link ? "" : "link-layer header";
}

// The short way takes exactly the packets that it is for, and makes the same of them; else it has
// done nothing.
std::string check_short_way(const TunnelHeader& header, const Frame& frame,
                            const ParsedPacket& packet, const Tunnel& tunnel,
                            const OuterFields& outer, size_t headroom, const Encapsulated& out) {
  Bytes bytes(headroom, kSentinel);
  bytes.insert(bytes.end(), frame.bytes.begin(), frame.bytes.end());
  const ExactBuffer buffer(bytes);
  PacketView view(buffer.data() + headroom, frame.size());
  const bool sums = tunnel.encapsulation == Encapsulation::kGue && !tunnel.destination.is_v4();
  const bool is_for_it = out.result == RewriteResult::kDone && !sums &&
                         packet.kind == PacketKind::kTransport && packet.network_offset == 14;
  if (header.encapsulate_plain(view, headroom, packet, outer) != is_for_it) {
    return is_for_it ? "the short way declines" : "the short way takes what is not for it";
  }
  const Bytes in_front(buffer.data(), view.data());
  const Frame made{Bytes(view.data(), view.data() + view.size())};
  if (!is_for_it) {
    return made == frame && in_front.size() == headroom ? "" : "the short way declines too late";
  }
  return made == out.frame && in_front == out.headroom ? "" : "the short way makes something else";
}

std::string check_one(Frame frame, const ParsedPacket& packet, const Tunnel& tunnel,
                      const OuterFields& outer) {
  const TunnelHeader header(tunnel);
  const size_t overhead = model_overhead(tunnel.encapsulation, tunnel.destination.is_v4());
  if (header.overhead() != overhead) {
    return "overhead";
  }
  for (const size_t headroom : {overhead - 1, overhead, overhead + 60}) {
    const Encapsulated out = encapsulated(header, frame, packet, outer, headroom);
    RewriteResult expected =
        headroom < overhead ? RewriteResult::kNoHeadroom : RewriteResult::kDone;
    if (!is_forwarded_ip(packet.kind)) {
      expected = RewriteResult::kNotApplicable;
    } else if (packet.network_length + overhead > outer.mtu) {
      const bool told = packet.family == Family::kIpv4 ? frame.ipv4()->dont_fragment()
                                                       : packet.network_length > 1280;
      expected = told ? RewriteResult::kTooBig : RewriteResult::kMustFragment;
    }
    if (out.result != expected) {
      return fmt::format("result {} instead of {}", static_cast<int>(out.result),
                         static_cast<int>(expected));
    }
    if (std::string violation =
            check_short_way(header, frame, packet, tunnel, outer, headroom, out);
        !violation.empty()) {
      return violation;
    }
    if (std::any_of(out.headroom.begin(), out.headroom.end(),
                    [](uint8_t byte) { return byte != kSentinel; })) {
      return "wrote in front of the frame";
    }
    if (expected != RewriteResult::kDone) {
      if (out.frame != frame) {
        return "refused, but changed";
      }
      continue;
    }
    const Decapsulated found = decapsulate(out.frame, tunnel.encapsulation);
    if (out.frame.size() != found.end || out.frame_size != found.end) {
      return "the frame does not end with the outer packet";
    }
    // What an inner checksum that is wrong makes of the outer one: wrong as well.
    const bool may_be_wrong =
        packet.kind == PacketKind::kTransport && !frame.wrong_checksum().empty();
    if (found.fault == "UDP checksum" && may_be_wrong) {
      continue;
    }
    std::string what = difference(found, frame, packet, tunnel, outer);
    if (!what.empty()) {
      return what;
    }
  }
  return "";
}

}  // namespace

Decapsulated decapsulate(const Frame& frame, Encapsulation encapsulation) {
  Decapsulated out;
  const Bytes& bytes = frame.bytes;
  const size_t at = frame.network_offset();
  out.link = part(bytes, 0, at);
  uint8_t protocol = 0;
  const bool v4 = reference_word(bytes, at - 2) == 0x0800;
  size_t behind =
      v4 ? read_outer_ipv4(bytes, at, out, protocol) : read_outer_ipv6(bytes, at, out, protocol);
  uint8_t inner = protocol;
  std::string fault;
  if (encapsulation == Encapsulation::kGre) {
    fault = protocol == 47 ? read_gre(bytes, behind, inner) : "not GRE";
    behind += 4;
  } else if (encapsulation == Encapsulation::kGue) {
    fault = protocol == 17 ? read_gue(bytes, behind, out, inner) : "not UDP";
    behind += 12;
  }
  out.fault = out.fault.empty() ? fault : out.fault;
  out.inner = part(bytes, behind, std::min(out.end, bytes.size()));
  const int version = out.inner.at(0) >> 4;
  if (out.fault.empty() && !((inner == 4 && version == 4) || (inner == 41 && version == 6))) {
    out.fault = "inner protocol";
  }
  return out;
}

Encapsulated encapsulated(const TunnelHeader& tunnel, const Frame& frame,
                          const ParsedPacket& packet, const OuterFields& outer, size_t headroom,
                          size_t missing) {
  Bytes bytes(headroom, kSentinel);
  bytes.insert(bytes.end(), frame.bytes.begin(), frame.bytes.end());
  const ExactBuffer buffer(bytes);
  PacketView view(buffer.data() + headroom, frame.size(), frame.size() + missing);
  const RewriteResult result = tunnel.encapsulate(view, headroom, packet, outer);
  return {result, Frame{Bytes(view.data(), view.data() + view.size())},
          Bytes(buffer.data(), view.data()), view.frame_size()};
}

std::string violated_encapsulation(const Bytes& bytes, uint32_t seed) {
  Frame frame{bytes};
  ParsedPacket packet;
  if (parse(frame.view(), packet) != DropReason::kNone) {
    return "";
  }
  for (const Encapsulation encapsulation :
       {Encapsulation::kIpIp, Encapsulation::kGre, Encapsulation::kGue}) {
    for (const Family family : {Family::kIpv4, Family::kIpv6}) {
      Tunnel tunnel;
      tunnel.encapsulation = encapsulation;
      tunnel.destination = any_endpoint(family, seed).address;
      tunnel.ttl = static_cast<uint8_t>(1 + seed % 255);
      tunnel.dont_fragment =
          seed % 2 == 0 ? OuterDontFragment::kAsInner : OuterDontFragment::kAlways;
      tunnel.gue_port = any_endpoint(family, seed + 1).port;
      OuterFields outer;
      outer.source = any_endpoint(family, seed + 2).address;
      outer.flow_hash = seed * 2654435761U;
      outer.identification = static_cast<uint16_t>(seed);
      for (const size_t mtu : {size_t{0xffff}, packet.network_length + size_t{40}}) {
        outer.mtu = static_cast<uint16_t>(std::min<size_t>(mtu, 0xffff));
        std::string violation = check_one(frame, packet, tunnel, outer);
        if (!violation.empty()) {
          return violation;
        }
      }
    }
  }
  return "";
}

}  // namespace ballast::testing
