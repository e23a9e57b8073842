// What must hold for every frame, well-formed or not, under the rewrites of NAT and FULLNAT, by a
// slow model of them: shared by unit tests and fuzzers.
#pragma once

#include <cstdint>
#include <string>

#include "dataplane/rewrite/icmp_translate.h"
#include "dataplane/rewrite/translate.h"
#include "tests/unit/packet_builder.h"

namespace ballast::testing {

// Ends of a family, any that `seed` says.
Endpoint any_endpoint(Family family, uint32_t seed);

// Empty when all properties hold for the frame, else the one that does not:
//   - translate() does what the model does, to the byte, or refuses and changes nothing;
//   - right checksums stay right; the packet parses as before but for what was translated;
//   - the translation back gives the original bytes;
//   - rewrite_nat_in(), rewrite_nat_out() and rewrite_full_nat() do the same as translate().
std::string violated_translation(const Bytes& bytes, uint32_t seed);

// The same for translate_icmp_error().
std::string violated_icmp_translation(const Bytes& bytes, uint32_t seed);

// That neither reads nor writes beyond the frame when its end is missing from the first segment, as
// the sanitizer sees it, and that a refusal changes nothing. `bytes` is the first segment,
// `missing` the rest.
std::string violated_truncation(const Bytes& bytes, const ParsedPacket& packet, size_t missing);

}  // namespace ballast::testing
