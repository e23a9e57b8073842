// What must hold for every frame, well-formed or not, after parse(): shared by unit tests and the
// fuzzer.
#pragma once

#include <string>

#include "dataplane/packet/parser.h"
#include "tests/unit/packet_builder.h"

namespace ballast::testing {

// Parses a copy of the bytes, in a heap buffer of their exact size. Empty when all properties hold,
// else the one that does not.
std::string violated_property(const Bytes& bytes);

// Where parse_plain() and parse() differ over the frame, which may be the first segment of a longer
// one; empty when they agree.
std::string plain_disagreement(const PacketView& frame);

// What violated_property() says of the output of a parse() that gave kNone. `frame` is contiguous.
std::string violated_property(PacketView frame, const ParsedPacket& packet);

}  // namespace ballast::testing
