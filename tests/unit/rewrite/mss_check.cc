#include "tests/unit/rewrite/mss_check.h"

#include <algorithm>

#include "dataplane/rewrite/mss_clamp.h"
#include "tests/unit/rewrite/reference_update.h"

namespace ballast::testing {
namespace {

// What the options become; counted from the start of the TCP header.
void lower_in_model(Bytes& tcp, uint16_t maximum) {
  const size_t end = size_t{tcp.at(12)} / 16 * 4;
  size_t at = 20;
  while (at < end && tcp.at(at) != 0) {
    if (tcp.at(at) == 1) {
      at += 1;
      continue;
    }
    if (at + 1 >= end || tcp.at(at + 1) < 2 || at + tcp.at(at + 1) > end) {
      return;
    }
    if (tcp.at(at) == 2 && tcp.at(at + 1) == 4) {
      put_reference_word(tcp, at + 2, std::min(reference_word(tcp, at + 2), maximum));
    }
    at += tcp.at(at + 1);
  }
}

Bytes model(const Bytes& before, const ParsedPacket& packet, uint16_t maximum) {
  if (packet.kind != PacketKind::kTransport || packet.protocol != IpProtocol::kTcp ||
      (packet.tcp_flags & kSyn) == 0) {
    return before;
  }
  const auto tcp_offset = static_cast<std::ptrdiff_t>(packet.transport_offset);
  Bytes tcp(before.begin() + tcp_offset, before.end());
  const Bytes old_tcp = tcp;
  lower_in_model(tcp, maximum);
  if (tcp != old_tcp) {
    const size_t length = size_t{tcp.at(12)} / 16 * 4;
    put_reference_word(
        tcp, 16, reference_update(reference_word(old_tcp, 16), old_tcp, tcp, 20, length - 20));
  }
  Bytes after = before;
  std::copy(tcp.begin(), tcp.end(), after.begin() + tcp_offset);
  return after;
}

}  // namespace

std::string violated_mss_clamp(const Bytes& bytes, uint16_t maximum) {
  Frame frame{bytes};
  ParsedPacket packet;
  if (parse(frame.view(), packet) != DropReason::kNone) {
    return "";
  }
  const ExactBuffer buffer(bytes);
  const bool lowered = clamp_mss(buffer.view(), packet, maximum);
  Frame found{Bytes(buffer.data(), buffer.data() + buffer.size())};
  if (found.bytes != model(bytes, packet, maximum)) {
    return "the model gives other bytes";
  }
  if (lowered != (found.bytes != bytes)) {
    return "says that it changed the segment, and did not, or the other way round";
  }
  if (packet.kind == PacketKind::kTransport && frame.wrong_checksum().empty() &&
      !found.wrong_checksum().empty()) {
    return "wrong afterwards: " + found.wrong_checksum();
  }
  return clamp_mss(buffer.view(), packet, maximum) ? "lowers twice" : "";
}

}  // namespace ballast::testing
