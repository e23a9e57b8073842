// The parser on any bytes: it never reads beyond the frame, never writes, and what it accepts holds
// what later stages rely on. Each input is seen as it is, and with its checksums made right,
// without which no mutation would get past them.
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include "tests/unit/packet_builder.h"
#include "tests/unit/parsed_packet_check.h"

namespace {

using ballast::testing::Bytes;
using ballast::testing::Frame;

void check(const Bytes& bytes) {
  const std::string violation = ballast::testing::violated_property(bytes);
  if (!violation.empty()) {
    std::fprintf(stderr, "violated: %s\n", violation.c_str());
    std::abort();
  }
}

// The first segment of a chained frame: reads must stay within it whatever the whole frame's
// length.
void check_chained(const Bytes& bytes) {
  const ballast::testing::ExactBuffer first(bytes);
  ballast::ParsedPacket packet;
  const ballast::PacketView view(first.data(), first.size(), first.size() + 1500);
  static_cast<void>(ballast::parse(view, packet));
  const std::string difference = ballast::testing::plain_disagreement(view);
  if (!difference.empty()) {
    std::fprintf(stderr, "chained: %s\n", difference.c_str());
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Bytes bytes(data, data + size);
  check(bytes);
  check_chained(bytes);
  Frame frame{bytes};
  try {
    frame.fix_checksums();
  } catch (const std::out_of_range&) {
    return 0;  // its lengths point beyond its end, so there is no checksum to make right
  }
  check(frame.bytes);
  check_chained(frame.bytes);
  return 0;
}
