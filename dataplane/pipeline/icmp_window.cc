// Which part of a TCP connection an ICMP error may quote (RFC 5927 section 4.1): what the sender
// has in flight. It is known where both halves pass here.
//
// The end of the latest segment is followed with every packet; a quoted one lies at most a window
// before it. Windows are scaled, by factors that are not followed: kFlight bounds what is believed.
// So a blind attacker hits with one of 256 guesses, beside the four-tuple. Who can also send
// segments in the client's name may move what is followed: it follows any jump, since a VIP that
// was with another node for a while comes back with connections that have gone on.
#include "dataplane/pipeline/pipeline.h"
#include "dataplane/pipeline/segment.h"

namespace ballast {
namespace {

constexpr uint32_t kFlight = 1U << 24;

// The parser has seen eight bytes of the quoted transport header, which hold the sequence number.
struct QuotedTcp {
  Big16 source_port;
  Big16 destination_port;
  Big32 sequence;
};
static_assert(sizeof(QuotedTcp) == 8);

// `end`: what the next segment of the quoted half begins with.
bool is_in_flight(const Packet& packet, const InnerPacket& inner, uint32_t end) {
  const auto* tcp = packet.view().header_at<QuotedTcp>(inner.transport_offset);
  return tcp == nullptr || end - tcp->sequence.to_host() <= kFlight;
}

}  // namespace

void Pipeline::follow_client(const Packet& packet, const ParsedPacket& parsed,
                             Connection& connection) {
  if (connection.trusted) {  // until then it is what trust is earned by
    const uint32_t end = sequence_behind(packet, parsed);
    if (is_behind(end, connection.next_sequence)) {
      connection.next_sequence = end;
    }
  }
}

void Pipeline::follow_server(const Packet& packet, const ParsedPacket& parsed,
                             TranslationRecord& record) {
  if ((record.server_seen & kServerAcknowledged) != 0 && (parsed.tcp_flags & kRst) == 0) {
    const uint32_t end = sequence_behind(packet, parsed);
    if (is_behind(end, record.server_next_sequence)) {
      record.server_next_sequence = end;
    }
  }
}

bool Pipeline::quotes_server_plausibly(const Packet& packet, const ParsedPacket& parsed,
                                       const Connection& connection) const {
  const TranslationRecord& record = translations_->of(connection);
  return parsed.inner.protocol != IpProtocol::kTcp || (record.server_seen & kServerSequence) == 0 ||
         is_in_flight(packet, parsed.inner, record.server_next_sequence + in_doubt(connection));
}

bool Pipeline::quotes_client_plausibly(const Packet& packet, const ParsedPacket& parsed,
                                       const Connection& connection) {
  return parsed.inner.protocol != IpProtocol::kTcp ||
         is_in_flight(packet, parsed.inner, connection.next_sequence + in_doubt(connection));
}

// Of a connection that is not trusted yet only the beginning is noted: an unscaled window may be in
// flight behind it.
uint32_t Pipeline::in_doubt(const Connection& connection) {
  return connection.trusted ? 0 : 65535;
}

}  // namespace ballast
