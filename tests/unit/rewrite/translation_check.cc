#include "tests/unit/rewrite/translation_check.h"

#include <algorithm>
#include <random>

#include <fmt/format.h>

#include "dataplane/rewrite/nat.h"
#include "tests/unit/rewrite/reference_update.h"

namespace ballast::testing {
namespace {

struct AddressPlaces {
  size_t source;
  size_t destination;
  size_t length;
};

AddressPlaces places(Family family, size_t network_offset) {
  return family == Family::kIpv4 ? AddressPlaces{network_offset + 12, network_offset + 16, 4}
                                 : AddressPlaces{network_offset + 8, network_offset + 24, 16};
}

void put_ports(Bytes& bytes, size_t at, const std::optional<Endpoint>& source,
               const std::optional<Endpoint>& destination) {
  if (source) {
    put_reference_word(bytes, at, source->port.to_host());
  }
  if (destination) {
    put_reference_word(bytes, at + 2, destination->port.to_host());
  }
}

void put_addresses(Bytes& bytes, const AddressPlaces& at, const std::optional<IpAddress>& source,
                   const std::optional<IpAddress>& destination) {
  if (source) {
    put_address(bytes, at.source, *source);
  }
  if (destination) {
    put_address(bytes, at.destination, *destination);
  }
}

std::optional<IpAddress> address_of(const std::optional<Endpoint>& end) {
  return end ? std::optional<IpAddress>(end->address) : std::nullopt;
}

// Updates the checksum at `at` for changed addresses, and for changed ports where there are some.
void update_transport(const Bytes& before, Bytes& after, const AddressPlaces& addresses,
                      size_t ports, size_t at, bool udp) {
  const uint16_t old_checksum = reference_word(before, at);
  if (udp && old_checksum == 0) {
    return;
  }
  uint16_t checksum =
      reference_update(old_checksum, before, after, addresses.source, 2 * addresses.length);
  if (ports != 0) {
    checksum = reference_update(checksum, before, after, ports, 4);
  }
  put_reference_word(after, at, udp && checksum == 0 ? uint16_t{0xffff} : checksum);
}

void update_ipv4_header(const Bytes& before, Bytes& after, size_t network_offset) {
  const size_t at = network_offset + 10;
  uint16_t checksum = reference_word(before, at);
  checksum = reference_update(checksum, before, after, network_offset + 8, 2);  // TTL
  checksum = reference_update(checksum, before, after, network_offset + 12, 8);
  put_reference_word(after, at, checksum);
}

size_t ttl_offset(const ParsedHeaders& packet) {
  return packet.network_offset + (packet.family == Family::kIpv4 ? 8U : 7U);
}

RewriteResult model_result(const ParsedPacket& packet, TtlAction ttl) {
  const int protocol = wire_byte(packet.protocol);
  const bool has_unknown_checksum =
      packet.kind == PacketKind::kOtherIp && (protocol == 33 || protocol == 136);
  switch (packet.kind) {
    case PacketKind::kIcmpError:
    case PacketKind::kArp:
    case PacketKind::kNeighborDiscovery:
    case PacketKind::kNotIp:
      return RewriteResult::kNotApplicable;
    default:
      break;
  }
  if (has_unknown_checksum) {
    return RewriteResult::kNotApplicable;
  }
  return ttl == TtlAction::kDecrement && packet.ttl < 2 ? RewriteResult::kTtlExpired
                                                        : RewriteResult::kDone;
}

Bytes model_translation(const Bytes& before, const ParsedPacket& packet, const Translation& to,
                        TtlAction ttl) {
  Bytes after = before;
  const AddressPlaces addresses = places(packet.family, packet.network_offset);
  put_addresses(after, addresses, address_of(to.source), address_of(to.destination));
  if (ttl == TtlAction::kDecrement) {
    after.at(ttl_offset(packet)) = static_cast<uint8_t>(after.at(ttl_offset(packet)) - 1);
  }
  if (packet.family == Family::kIpv4) {
    update_ipv4_header(before, after, packet.network_offset);
  }
  const size_t transport = packet.transport_offset;
  if (packet.kind == PacketKind::kTransport) {
    put_ports(after, transport, to.source, to.destination);
    const bool udp = packet.protocol == IpProtocol::kUdp;
    update_transport(before, after, addresses, transport, transport + (udp ? 6 : 16), udp);
  } else if (packet.protocol == IpProtocol::kIcmpv6 && packet.family == Family::kIpv6 &&
             packet.kind != PacketKind::kLaterFragment) {
    update_transport(before, after, addresses, 0, transport + 2, false);
  }
  return after;
}

ParsedPacket model_parsed(ParsedPacket packet, const Translation& to, TtlAction ttl) {
  const bool has_ports = packet.kind == PacketKind::kTransport;
  if (to.source) {
    packet.source = to.source->address;
    packet.source_port = has_ports ? to.source->port : packet.source_port;
  }
  if (to.destination) {
    packet.destination = to.destination->address;
    packet.destination_port = has_ports ? to.destination->port : packet.destination_port;
  }
  packet.ttl = static_cast<uint8_t>(packet.ttl - (ttl == TtlAction::kDecrement ? 1 : 0));
  return packet;
}

struct Outcome {
  RewriteResult result;
  Bytes bytes;
};

template <typename Rewrite>
Outcome run(const Bytes& bytes, Rewrite rewrite) {
  const ExactBuffer buffer(bytes);
  const RewriteResult result = rewrite(buffer.view());
  return {result, Bytes(buffer.data(), buffer.data() + buffer.size())};
}

// The short way is only for what the parser makes of the frame's own family.
std::string short_way_difference(const Bytes& bytes, const ParsedPacket& packet,
                                 const Translation& to, const Outcome& expected) {
  const Outcome found = run(bytes, [&](PacketView frame) {
    if (to.source && to.destination) {
      return rewrite_full_nat(frame, packet, *to.source, *to.destination);
    }
    return to.source ? rewrite_nat_out(frame, packet, *to.source)
                     : rewrite_nat_in(frame, packet, *to.destination);
  });
  return found.result == expected.result && found.bytes == expected.bytes
             ? ""
             : "the short way differs from translate()";
}

// Equal, but for a checksum that came as 0xffff and goes as 0: both are zero in this arithmetic,
// and no correct sum is sent as the former (but for UDP's, which keeps it).
bool same_but_for_zero(const Bytes& before, const Bytes& after) {
  if (before.size() != after.size()) {
    return false;
  }
  for (size_t i = 0; i < before.size(); ++i) {
    if (before[i] == after[i]) {
      continue;
    }
    const bool other_zero = i + 1 < before.size() && before[i] == 0xff && before[i + 1] == 0xff &&
                            after[i] == 0 && after[i + 1] == 0;
    if (!other_zero) {
      return false;
    }
    ++i;
  }
  return true;
}

std::string back_difference(const Frame& frame, const ParsedPacket& packet, const Translation& to,
                            const Outcome& there) {
  Translation back;
  if (to.source) {
    back.source = Endpoint{packet.source, packet.source_port};
  }
  if (to.destination) {
    back.destination = Endpoint{packet.destination, packet.destination_port};
  }
  const Outcome again = run(there.bytes, [&](PacketView view) {
    return translate(view, model_parsed(packet, to, TtlAction::kKeep), back, TtlAction::kKeep);
  });
  return same_but_for_zero(frame.bytes, again.bytes) ? ""
                                                     : "the translation back gives other bytes";
}

std::string check_one(const Frame& frame, const ParsedPacket& packet, const Translation& to,
                      TtlAction ttl) {
  const Outcome found =
      run(frame.bytes, [&](PacketView view) { return translate(view, packet, to, ttl); });
  const RewriteResult expected = model_result(packet, ttl);
  if (found.result != expected) {
    return fmt::format("result {} instead of {}", static_cast<int>(found.result),
                       static_cast<int>(expected));
  }
  if (ttl == TtlAction::kDecrement && (to.source || to.destination)) {
    std::string difference = short_way_difference(frame.bytes, packet, to, found);
    if (!difference.empty()) {
      return difference;
    }
  }
  if (expected != RewriteResult::kDone) {
    return found.bytes == frame.bytes ? "" : "refused, but changed";
  }
  if (found.bytes != model_translation(frame.bytes, packet, to, ttl)) {
    return "the model gives other bytes";
  }
  // Another protocol's checksum is not known: ICMPv6 over IPv4, say, has none with a pseudo header.
  const bool was_right = packet.kind != PacketKind::kOtherIp && frame.wrong_checksum().empty();
  Frame after{found.bytes};
  if (was_right && !after.wrong_checksum().empty()) {
    return "wrong afterwards: " + after.wrong_checksum();
  }
  const ParsedPacket wanted = model_parsed(packet, to, ttl);
  ParsedPacket parsed;
  // No address at all speaks to multicast only.
  const bool may_be_sent = wanted.source != wanted.destination && !wanted.source.is_unspecified();
  if (may_be_sent && (parse(after.view(), parsed) != DropReason::kNone || parsed != wanted)) {
    return "parses as another packet: " + to_string(parsed);
  }
  return was_right && ttl == TtlAction::kKeep ? back_difference(frame, packet, to, found) : "";
}

std::vector<Translation> all_directions(Family family, uint32_t seed) {
  const Endpoint source = any_endpoint(family, seed);
  const Endpoint destination = any_endpoint(family, seed + 1);
  return {{}, {source, {}}, {{}, destination}, {source, destination}};
}

// ---- ICMP errors ----

// Where the quoted packet ends, by RFC 4884.
size_t model_quoted_end(const Bytes& bytes, const ParsedPacket& packet) {
  const size_t message_end = size_t{packet.network_offset} + packet.network_length;
  const size_t icmp = packet.transport_offset;
  const uint8_t type = bytes.at(icmp);
  size_t length = 0;
  if (packet.family == Family::kIpv4) {
    length = size_t{bytes.at(icmp + 5)} * 4;
  } else if (type == 1 || type == 3) {
    length = size_t{bytes.at(icmp + 4)} * 8;
  }
  const size_t headers = size_t{packet.inner.transport_offset} - packet.inner.network_offset;
  return length < headers + 8 ? message_end
                              : std::min(message_end, packet.inner.network_offset + length);
}

Bytes model_icmp_translation(const Bytes& before, const ParsedPacket& packet,
                             const IcmpErrorTranslation& to, TtlAction ttl) {
  Frame after{before};
  const AddressPlaces outer = places(packet.family, packet.network_offset);
  put_addresses(after.bytes, outer, to.source, to.destination);
  if (ttl == TtlAction::kDecrement) {
    after.bytes.at(ttl_offset(packet)) =
        static_cast<uint8_t>(after.bytes.at(ttl_offset(packet)) - 1);
  }
  const InnerPacket& inner = packet.inner;
  const AddressPlaces quoted = places(packet.family, inner.network_offset);
  put_addresses(after.bytes, quoted, address_of(to.quoted_source),
                address_of(to.quoted_destination));
  if (packet.family == Family::kIpv4) {
    update_ipv4_header(before, after.bytes, inner.network_offset);
  }
  if (inner.has_ports) {
    put_ports(after.bytes, inner.transport_offset, to.quoted_source, to.quoted_destination);
    const bool udp = inner.protocol == IpProtocol::kUdp;
    const size_t checksum = inner.transport_offset + (udp ? 6U : 16U);
    if (checksum + 2 <= model_quoted_end(before, packet)) {
      update_transport(before, after.bytes, quoted, inner.transport_offset, checksum, udp);
    }
  }
  after.fix_checksums();  // the parser has seen that they were right
  return after.bytes;
}

std::string check_one_icmp(const Frame& frame, const ParsedPacket& packet, const Translation& along,
                           TtlAction ttl) {
  const IcmpErrorTranslation to = mirrored(along);
  const Outcome found = run(
      frame.bytes, [&](PacketView view) { return translate_icmp_error(view, packet, to, ttl); });
  const bool applies =
      packet.kind == PacketKind::kIcmpError &&
      (packet.inner.protocol == IpProtocol::kTcp || packet.inner.protocol == IpProtocol::kUdp);
  const bool expires = ttl == TtlAction::kDecrement && packet.ttl < 2;
  const RewriteResult expected = !applies  ? RewriteResult::kNotApplicable
                                 : expires ? RewriteResult::kTtlExpired
                                           : RewriteResult::kDone;
  if (found.result != expected) {
    return fmt::format("icmp: result {} instead of {}", static_cast<int>(found.result),
                       static_cast<int>(expected));
  }
  if (expected != RewriteResult::kDone) {
    return found.bytes == frame.bytes ? "" : "icmp: refused, but changed";
  }
  if (!frame.wrong_checksum().empty()) {
    return "";  // 0xffff for 0: right by the arithmetic, but what no sender writes
  }
  if (found.bytes != model_icmp_translation(frame.bytes, packet, to, ttl)) {
    return "icmp: the model gives other bytes";
  }
  return "";
}

}  // namespace

Endpoint any_endpoint(Family family, uint32_t seed) {
  std::mt19937 random(seed);
  const auto byte = [&] { return static_cast<uint8_t>(random()); };
  const Big16 port = Big16::from_host(static_cast<uint16_t>(1 + random() % 0xffff));
  if (family == Family::kIpv4) {
    return {IpAddress::v4({10, byte(), byte(), byte()}), port};
  }
  IpAddress::V6Bytes address{0xfd};
  std::generate(address.begin() + 1, address.end(), byte);
  return {IpAddress::v6(address), port};
}

std::string violated_translation(const Bytes& bytes, uint32_t seed) {
  Frame frame{bytes};
  ParsedPacket packet;
  if (parse(frame.view(), packet) != DropReason::kNone) {
    return "";
  }
  for (const Translation& to : all_directions(packet.family, seed)) {
    for (const TtlAction ttl : {TtlAction::kKeep, TtlAction::kDecrement}) {
      std::string violation = check_one(frame, packet, to, ttl);
      if (!violation.empty()) {
        return violation;
      }
    }
  }
  return "";
}

std::string violated_icmp_translation(const Bytes& bytes, uint32_t seed) {
  Frame frame{bytes};
  ParsedPacket packet;
  if (parse(frame.view(), packet) != DropReason::kNone) {
    return "";
  }
  for (const Translation& along : all_directions(packet.family, seed)) {
    for (const TtlAction ttl : {TtlAction::kKeep, TtlAction::kDecrement}) {
      std::string violation = check_one_icmp(frame, packet, along, ttl);
      if (!violation.empty()) {
        return violation;
      }
    }
  }
  return "";
}

std::string violated_truncation(const Bytes& bytes, const ParsedPacket& packet, size_t missing) {
  for (const Translation& to : all_directions(packet.family, 1)) {
    const auto chained = [&](PacketView view) {
      return PacketView(view.data(), view.size(), view.size() + missing);
    };
    const Outcome plain = run(bytes, [&](PacketView view) {
      return translate(chained(view), packet, to, TtlAction::kDecrement);
    });
    const Outcome icmp = run(bytes, [&](PacketView view) {
      return translate_icmp_error(chained(view), packet, mirrored(to), TtlAction::kDecrement);
    });
    const Outcome fast = run(bytes, [&](PacketView view) {
      return to.source && to.destination
                 ? rewrite_full_nat(chained(view), packet, *to.source, *to.destination)
                 : RewriteResult::kNotApplicable;
    });
    for (const Outcome& outcome : {plain, icmp, fast}) {
      if (outcome.result != RewriteResult::kDone && outcome.bytes != bytes) {
        return "refused, but changed";
      }
    }
  }
  return "";
}

}  // namespace ballast::testing
