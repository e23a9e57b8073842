// The MSS of any frame that the parser takes: what the slow model does, to the byte.
#include "tests/fuzz/rewrite_fuzzer.h"
#include "tests/unit/rewrite/mss_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ballast::testing;
  for_both_forms(data, size, [](const Bytes& bytes, uint32_t seed) {
    require_no_violation(violated_mss_clamp(bytes, static_cast<uint16_t>(seed >> (seed % 16))));
  });
  return 0;
}
