// What became of a packet, by the dataplane or by the model.
#pragma once

#include <cstdint>
#include <string>

#include "dataplane/packet/drop_reason.h"
#include "dataplane/packet/numbers.h"
#include "tests/model/octets.h"

namespace ballast::model {

enum class End : uint8_t {
  kDropped,  // for `reason`
  kSent,     // `frame` on `out_port`; with a reason: the answer to a packet that was dropped for it
  kKernel,   // `frame` to the twin of the port it came by
  kHeld,     // waits for a MAC, or for the first fragment of its datagram
};

struct Fate {
  End end = End::kDropped;
  DropReason reason = DropReason::kNone;
  Bytes frame;
  PortIndex out_port{};
  uint16_t fragment_mtu = 0;  // kSent: to be cut into fragments of at most this
};

// "sent on port 1", "dropped: no_route".
[[nodiscard]] std::string to_string(const Fate& fate);

}  // namespace ballast::model
