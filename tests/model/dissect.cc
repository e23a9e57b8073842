#include "tests/model/dissect.h"

#include <algorithm>
#include <set>

namespace ballast::model {
namespace {

// One frame being looked at; each function is one header and returns the first fault.
class Dissector {
 public:
  explicit Dissector(const Bytes& frame) : frame_(frame) {}

  Dissection run() {
    out_.fault = ethernet();
    return out_;
  }

 private:
  [[nodiscard]] bool has(size_t at, size_t length) const {
    return at <= frame_.size() && frame_.size() - at >= length;
  }
  [[nodiscard]] uint16_t word(size_t at) const { return get16(frame_, at); }

  DropReason ethernet() {
    if (!has(0, 14)) {
      return DropReason::kEthernetShort;
    }
    size_t at = 14;
    uint16_t type = word(12);
    while ((type == 0x8100 || type == 0x88a8) && out_.vlan_tags < 2) {
      if (!has(at, 4)) {
        return DropReason::kVlanShort;
      }
      if (out_.vlan_tags == 0) {
        out_.vlan_id = word(at) & 0xfff;
      }
      ++out_.vlan_tags;
      type = word(at + 2);
      at += 4;
    }
    out_.network = at;
    switch (type) {
      case 0x0800:
        return ipv4(at);
      case 0x86dd:
        return ipv6(at);
      case 0x0806:
        return arp(at);
      default:
        out_.sort = Sort::kNotIp;
        return DropReason::kNone;
    }
  }

  DropReason arp(size_t at) {
    if (!has(at, 28) || word(at) != 1 || word(at + 2) != 0x0800 || frame_[at + 4] != 6 ||
        frame_[at + 5] != 4) {
      return DropReason::kArpMalformed;
    }
    out_.sort = Sort::kArp;
    out_.end = at + 28;
    out_.source = get_address(frame_, at + 14, Family::kIpv4);
    out_.destination = get_address(frame_, at + 24, Family::kIpv4);
    return DropReason::kNone;
  }

  // ---- IPv4
  DropReason ipv4(size_t at) {
    if (!has(at, 20)) {
      return DropReason::kIpv4Short;
    }
    if (frame_[at] >> 4 != 4) {
      return DropReason::kIpv4Version;
    }
    const size_t header = size_t{frame_[at] & 0xfU} * 4;
    if (header < 20 || !has(at, header)) {
      return DropReason::kIpv4HeaderLength;
    }
    const size_t total = word(at + 2);
    if (total < header || !has(at, total)) {
      return DropReason::kIpv4TotalLength;
    }
    if (ones_sum(frame_, at, at + header) != 0xffff) {
      return DropReason::kIpv4Checksum;
    }
    if (!options_are_good(at + 20, at + header)) {
      return DropReason::kIpv4Options;
    }
    out_.ttl = frame_[at + 8];
    if (out_.ttl == 0) {
      return DropReason::kTtlExpired;
    }
    out_.family = Family::kIpv4;
    out_.source = get_address(frame_, at + 12, Family::kIpv4);
    out_.destination = get_address(frame_, at + 16, Family::kIpv4);
    if (const DropReason fault = ipv4_addresses(); fault != DropReason::kNone) {
      return fault;
    }
    out_.tos = frame_[at + 1];
    out_.protocol = frame_[at + 9];
    out_.transport = at + header;
    out_.end = at + total;
    out_.fragment_id = word(at + 4);
    out_.dont_fragment = (word(at + 6) & 0x4000) != 0;
    out_.more_fragments = (word(at + 6) & 0x2000) != 0;
    out_.fragment_offset = size_t{word(at + 6) & 0x1fffU} * 8;
    return fragment(header);
  }

  // RFC 791 section 3.1; loose and strict source routes (131, 137) are refused (RFC 7126).
  [[nodiscard]] bool options_are_good(size_t at, size_t end) const {
    while (at < end && frame_[at] != 0) {
      if (frame_[at] == 1) {
        ++at;
        continue;
      }
      if (frame_[at] == 131 || frame_[at] == 137 || end - at < 2 || frame_[at + 1] < 2 ||
          frame_[at + 1] > end - at) {
        return false;
      }
      at += frame_[at + 1];
    }
    return true;
  }

  [[nodiscard]] DropReason ipv4_addresses() const {
    const IpAddress& source = out_.source;
    const IpAddress& destination = out_.destination;
    if (source.is_loopback() || source.is_multicast() || source.is_broadcast()) {
      return DropReason::kSourceAddress;
    }
    if (destination.is_loopback() || destination.is_unspecified()) {
      return DropReason::kDestinationAddress;
    }
    if (source.is_unspecified() && !destination.is_multicast() && !destination.is_broadcast()) {
      return DropReason::kSourceAddress;
    }
    return source == destination ? DropReason::kLandAttack : DropReason::kNone;
  }

  // ---- IPv6
  DropReason ipv6(size_t at) {
    if (!has(at, 40)) {
      return DropReason::kIpv6Short;
    }
    if (frame_[at] >> 4 != 6) {
      return DropReason::kIpv6Version;
    }
    const size_t length = 40 + size_t{word(at + 4)};
    if (!has(at, length) || length > 65535) {
      return DropReason::kIpv6PayloadLength;
    }
    out_.ttl = frame_[at + 7];
    if (out_.ttl == 0) {
      return DropReason::kTtlExpired;
    }
    out_.family = Family::kIpv6;
    out_.source = get_address(frame_, at + 8, Family::kIpv6);
    out_.destination = get_address(frame_, at + 24, Family::kIpv6);
    if (const DropReason fault = ipv6_addresses(); fault != DropReason::kNone) {
      return fault;
    }
    out_.tos = static_cast<uint8_t>(word(at) >> 4 & 0xff);
    out_.end = at + length;
    Chain chain{frame_[at + 6], at + 40};
    const DropReason fault = walk(chain, out_.end);
    if (fault != DropReason::kNone) {
      return fault;
    }
    out_.protocol = chain.protocol;
    out_.transport = chain.at;
    out_.fragment_header = chain.fragment_header;
    out_.fragment_id = chain.id;
    out_.fragment_offset = chain.offset;
    out_.more_fragments = chain.more;
    return fragment(chain.fragment_at == 0 ? 0 : chain.fragment_at - (at + 40));
  }

  [[nodiscard]] DropReason ipv6_addresses() const {
    const IpAddress& source = out_.source;
    const IpAddress& destination = out_.destination;
    // is_v4() holds for an IPv4-mapped one here.
    if (source.is_multicast() || source.is_loopback() || source.is_v4() ||
        (source.is_unspecified() && !destination.is_multicast())) {
      return DropReason::kSourceAddress;
    }
    if (destination.is_unspecified() || destination.is_loopback() || destination.is_v4()) {
      return DropReason::kDestinationAddress;
    }
    return source == destination ? DropReason::kLandAttack : DropReason::kNone;
  }

  struct Chain {
    uint8_t protocol = 0;
    size_t at = 0;
    bool fragment_header = false;
    size_t fragment_at = 0;  // of the fragment header
    uint32_t id = 0;
    size_t offset = 0;
    bool more = false;
  };

  // RFC 8200 section 4: at most eight headers, hop-by-hop first, one fragment header; a first
  // fragment holds all of them (RFC 7112).
  [[nodiscard]] DropReason walk(Chain& chain, size_t end) const {
    static const std::set<uint8_t> kExtensions{0, 43, 44, 51, 60};
    end = std::min(end, frame_.size());
    for (int count = 0; kExtensions.contains(chain.protocol) && chain.offset == 0; ++count) {
      if ((chain.protocol == 0 && count != 0) || count == 8) {
        return DropReason::kIpv6ExtensionHeader;
      }
      const DropReason cut =
          chain.more ? DropReason::kFragmentTiny : DropReason::kIpv6ExtensionHeader;
      if (chain.at > end || end - chain.at < 8) {
        return cut;
      }
      size_t length = 8 + size_t{frame_[chain.at + 1]} * 8;
      if (chain.protocol == 44) {
        length = 8;
      } else if (chain.protocol == 51) {
        length = std::max<size_t>(8, (size_t{frame_[chain.at + 1]} + 2) * 4);
      }
      if (length > end - chain.at) {
        return cut;
      }
      if (chain.protocol == 43 && frame_[chain.at + 3] != 0) {
        return DropReason::kIpv6RoutingHeader;
      }
      if (chain.protocol == 44) {
        if (chain.fragment_header) {
          return DropReason::kIpv6ExtensionHeader;
        }
        chain.fragment_header = true;
        chain.fragment_at = chain.at;
        chain.offset = word(chain.at + 2) & 0xfff8;
        chain.more = (word(chain.at + 2) & 1) != 0;
        chain.id = get32(frame_, chain.at + 4);
      }
      chain.protocol = frame_[chain.at];
      chain.at += length;
    }
    return DropReason::kNone;
  }

  // ---- fragments, both families. `repeated`: bytes that stand in each fragment and count towards
  // the 65535 of the datagram.
  DropReason fragment(size_t repeated) {
    if (out_.is_fragment()) {
      const size_t begin = out_.is_v4() ? out_.transport : fragment_data();
      const size_t length = out_.end - begin;
      out_.fragment_length = length;
      if (length == 0 || (out_.more_fragments && length % 8 != 0) ||
          repeated + out_.fragment_offset + length > 65535) {
        return DropReason::kFragmentLength;
      }
      if (out_.fragment_offset != 0) {
        if (out_.protocol == kProtocolTcp && out_.fragment_offset < 20) {
          return DropReason::kFragmentTiny;
        }
        out_.sort = Sort::kLaterFragment;
        return DropReason::kNone;
      }
    }
    return carried();
  }

  // Where the data of an IPv6 fragment begins: behind its fragment header.
  [[nodiscard]] size_t fragment_data() const {
    Chain chain{frame_[out_.network + 6], out_.network + 40};
    static_cast<void>(walk(chain, out_.end));
    return chain.fragment_at + 8;
  }

  // ---- what IP carries
  DropReason carried() {
    switch (out_.protocol) {
      case kProtocolTcp:
        return tcp();
      case kProtocolUdp:
        return udp();
      case kProtocolIcmp:
        return out_.is_v4() ? icmp() : other();
      case kProtocolIcmpv6:
        return out_.is_v4() ? other() : icmp();
      default:
        return other();
    }
  }

  DropReason other() {
    out_.sort = Sort::kOtherIp;
    return DropReason::kNone;
  }

  [[nodiscard]] DropReason cut_off(DropReason whole) const {
    return out_.is_fragment() ? DropReason::kFragmentTiny : whole;
  }

  DropReason tcp() {
    const size_t at = out_.transport;
    const size_t length = out_.transport_length();
    if (length < 20) {
      return cut_off(DropReason::kTcpShort);
    }
    const size_t header = size_t{frame_[at + 12]} / 16 * 4;
    if (header < 20) {
      return DropReason::kTcpHeaderLength;
    }
    if (header > length) {
      return cut_off(DropReason::kTcpHeaderLength);
    }
    const uint8_t all = frame_[at + 13];
    const int opens_and_ends = ((all & kFlagSyn) != 0 ? 1 : 0) + ((all & kFlagFin) != 0 ? 1 : 0) +
                               ((all & kFlagRst) != 0 ? 1 : 0);
    if ((all & 0x3f) == 0 || opens_and_ends > 1) {
      return DropReason::kTcpFlags;
    }
    out_.tcp_flags = all & 0x1f;
    out_.sequence = get32(frame_, at + 4);
    out_.acknowledgement = get32(frame_, at + 8);
    out_.payload = length - header;
    return ports();
  }

  DropReason udp() {
    const size_t at = out_.transport;
    const size_t length = out_.transport_length();
    if (length < 8) {
      return cut_off(DropReason::kUdpShort);
    }
    const size_t claimed = word(at + 4);
    if (claimed < 8 || (claimed > length && !out_.is_fragment())) {
      return DropReason::kUdpLength;
    }
    out_.payload = std::min(claimed, length) - 8;
    return ports();
  }

  DropReason ports() {
    out_.sort = Sort::kTransport;
    out_.source_port = word(out_.transport);
    out_.destination_port = word(out_.transport + 2);
    return out_.source_port == 0 || out_.destination_port == 0 ? DropReason::kPortZero
                                                               : DropReason::kNone;
  }

  // ---- ICMP
  DropReason icmp() {
    const size_t at = out_.transport;
    if (out_.transport_length() < 8) {
      return cut_off(DropReason::kIcmpShort);
    }
    if (!out_.is_fragment()) {
      uint16_t sum = ones_sum(frame_, at, out_.end);
      if (!out_.is_v4()) {
        sum = ones_add(sum, pseudo_sum(out_.source, out_.destination, kProtocolIcmpv6,
                                       static_cast<uint32_t>(out_.transport_length())));
      }
      if (sum != 0xffff) {
        return DropReason::kIcmpChecksum;
      }
    }
    out_.icmp_type = frame_[at];
    out_.icmp_code = frame_[at + 1];
    out_.sort = icmp_sort();
    if (out_.sort == Sort::kNeighborDiscovery) {
      return out_.fragment_header ? DropReason::kNdMalformed : neighbor_discovery();
    }
    if (out_.sort == Sort::kIcmpError) {
      if (out_.is_fragment()) {
        out_.sort = Sort::kIcmpOther;
        return DropReason::kNone;
      }
      return quote(at + 8);
    }
    if (out_.sort == Sort::kEchoRequest && out_.source.is_unspecified()) {
      return DropReason::kSourceAddress;
    }
    return DropReason::kNone;
  }

  [[nodiscard]] Sort icmp_sort() const {
    const uint8_t type = out_.icmp_type;
    if (out_.is_v4()) {
      if (type == 8) {
        return Sort::kEchoRequest;
      }
      return type == 3 || type == 11 || type == 12 ? Sort::kIcmpError : Sort::kIcmpOther;
    }
    if (type == 128) {
      return Sort::kEchoRequest;
    }
    if (type >= 1 && type <= 4) {
      return Sort::kIcmpError;
    }
    return type >= 133 && type <= 137 ? Sort::kNeighborDiscovery : Sort::kIcmpOther;
  }

  // The model's packets have no neighbour discovery but well-formed solicitations; those that
  // mutation makes are judged by the checks that are common to all messages.
  DropReason neighbor_discovery() {
    static constexpr size_t kFixed[] = {8, 16, 24, 24, 40};
    const size_t fixed = kFixed[out_.icmp_type - 133];
    if (out_.ttl != 255 || out_.icmp_code != 0 || out_.transport_length() < fixed) {
      return DropReason::kNdMalformed;
    }
    return DropReason::kNone;
  }

  // The IP header and eight bytes behind it (RFC 792), sent to whom it came from.
  DropReason quote(size_t at) {
    Quote& quote = out_.quote;
    quote.network = at;
    bool later_fragment = false;
    if (out_.is_v4()) {
      if (!has(at, 20) || frame_[at] >> 4 != 4 || (frame_[at] & 0xf) < 5) {
        return DropReason::kIcmpInner;
      }
      quote.transport = at + size_t{frame_[at] & 0xfU} * 4;
      quote.protocol = frame_[at + 9];
      quote.source = get_address(frame_, at + 12, Family::kIpv4);
      quote.destination = get_address(frame_, at + 16, Family::kIpv4);
      later_fragment = (word(at + 6) & 0x1fff) != 0;
    } else {
      if (!has(at, 40) || frame_[at] >> 4 != 6) {
        return DropReason::kIcmpInner;
      }
      quote.source = get_address(frame_, at + 8, Family::kIpv6);
      quote.destination = get_address(frame_, at + 24, Family::kIpv6);
      Chain chain{frame_[at + 6], at + 40};
      if (walk(chain, out_.end) != DropReason::kNone || quote.destination.is_v4()) {
        return DropReason::kIcmpInner;
      }
      quote.transport = chain.at;
      quote.protocol = chain.protocol;
      later_fragment = chain.offset != 0;
    }
    if (quote.source != out_.destination || out_.destination.is_multicast() ||
        out_.destination.is_broadcast() || quote.transport + 8 > out_.end) {
      return DropReason::kIcmpInner;
    }
    quote.has_ports =
        !later_fragment && (quote.protocol == kProtocolTcp || quote.protocol == kProtocolUdp);
    if (quote.has_ports) {
      quote.source_port = word(quote.transport);
      quote.destination_port = word(quote.transport + 2);
    }
    return DropReason::kNone;
  }

  const Bytes& frame_;
  Dissection out_;
};

}  // namespace

Dissection dissect(const Bytes& frame) {
  return Dissector(frame).run();
}

}  // namespace ballast::model
