// Any frame that the parser takes, in every kind of tunnel: the other end gets what was sent.
#include "tests/fuzz/rewrite_fuzzer.h"
#include "tests/unit/rewrite/tunnel_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ballast::testing;
  for_both_forms(data, size, [](const Bytes& bytes, uint32_t seed) {
    require_no_violation(violated_encapsulation(bytes, seed));
  });
  return 0;
}
