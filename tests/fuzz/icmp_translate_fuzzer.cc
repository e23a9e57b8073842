// ICMP errors about translated connections: what the slow model does, to the byte.
#include "tests/fuzz/rewrite_fuzzer.h"
#include "tests/unit/rewrite/translation_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ballast::testing;
  for_both_forms(data, size, [](const Bytes& bytes, uint32_t seed) {
    require_no_violation(violated_icmp_translation(bytes, seed));
  });
  return 0;
}
