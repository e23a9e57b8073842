#include "dataplane/connection/translation.h"

#include "dataplane/connection/tcp_tracker.h"
#include "dataplane/packet/tcp_flags.h"

namespace ballast {
namespace {

bool has_seen(const TranslationRecord& translation, uint8_t bits) {
  return (translation.server_seen & bits) != 0;
}

void see(TranslationRecord& translation, uint8_t bits) {
  translation.server_seen = static_cast<uint8_t>(translation.server_seen | bits);
}

}  // namespace

void note_server_segment(TranslationRecord& translation, uint8_t tcp_flags, uint32_t sequence) {
  if ((tcp_flags & kRst) != 0) {
    see(translation, kServerRst);  // its sequence may be any, when it answers a segment without ACK
    return;
  }
  if ((tcp_flags & kSyn) != 0) {
    if (!has_seen(translation, kServerAcknowledged)) {
      translation.server_next_sequence = sequence + 1;
      see(translation, kServerSequence);
    }
  } else if (!has_seen(translation, kServerSequence)) {
    translation.server_next_sequence = sequence;
    see(translation, kServerSequence);
  }
  if ((tcp_flags & kFin) != 0) {
    see(translation, kServerFin);
  }
}

bool note_client_acknowledgement(TranslationRecord& translation, uint32_t acknowledgement) {
  if (has_seen(translation, kServerAcknowledged)) {
    return true;
  }
  if (!has_seen(translation, kServerSequence) ||
      !acknowledges_server_half(translation.server_next_sequence, acknowledgement)) {
    return false;
  }
  see(translation, kServerAcknowledged);
  return true;
}

PortRest rest_of(const Connection& connection, const TranslationRecord& translation, Seconds32 now,
                 uint32_t time_wait) {
  if (connection.key.protocol != IpProtocol::kTcp || has_seen(translation, kServerRst) ||
      !has_seen(translation, kServerAcknowledged | kServerFin)) {
    return PortRest::kShort;
  }
  // More, not as much: both are whole seconds, each up to one too early.
  const uint32_t silent = now > connection.last_seen ? now - connection.last_seen : 0;
  return silent > time_wait ? PortRest::kShort : PortRest::kTimeWait;
}

}  // namespace ballast
