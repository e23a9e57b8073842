// The table of fragments on any fragments at any times: it answers as a slow model does.
//
// An input is a row of events of five bytes: which of 32 datagrams, or what else is done (3 bits);
// where the part begins, in units of 8 bytes; more fragments (1 bit), far in the datagram (1 bit),
// more of the beginning (5 bits, where it is far); units of its length; milliseconds that pass (5
// bits), bytes that a last fragment lacks (3 bits).
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>

#include "tests/unit/connection/flows.h"
#include "tests/unit/connection/fragment_model.h"

namespace {

using ballast::testing::FragmentDuel;
using ballast::testing::Part;

constexpr size_t kEventLength = 5;
constexpr uint32_t kMaximum = 65'535 - 20;  // bytes of a datagram, as the parser has it
constexpr uint64_t kMillisecond = 1'000'000;

enum Action : uint8_t { kTakeReady = 5, kTakeExpired = 6, kWait = 7 };  // any other: a fragment

Part part_of(std::span<const uint8_t> event) {
  const bool far = (event[2] & 0x40) != 0;
  const uint32_t units = event[1] | (far ? (event[2] & 0x1fU) << 8 : 0U);
  const uint32_t begin = std::min(8 * units, kMaximum / 8 * 8 - 8);
  const bool more = begin == 0 || (event[2] & 0x80) != 0;
  const uint32_t length = 8 * (1U + event[3]) - (more ? 0U : event[4] & 7U);
  uint32_t end = std::min(begin + length, kMaximum);
  if (more) {
    end = end / 8 * 8;
  }
  return {static_cast<uint16_t>(begin), static_cast<uint16_t>(end), more};
}

void require(const std::string& difference) {
  if (!difference.empty()) {
    std::fprintf(stderr, "violated: %s\n", difference.c_str());
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  FragmentDuel duel(ballast::kTestHashKey);
  uint64_t now_ns = 1'000'000 * kMillisecond;
  for (size_t at = 0; at + kEventLength <= size; at += kEventLength) {
    const std::span<const uint8_t> event(data + at, kEventLength);
    switch (event[0] >> 5) {
      case kTakeReady:
        require(duel.take_ready());
        break;
      case kTakeExpired:
        require(duel.take_expired(now_ns));
        break;
      case kWait:
        now_ns += event[1] * 10 * kMillisecond + event[2];
        break;
      default:
        now_ns += (event[4] >> 3) * kMillisecond;
        require(duel.admit(event[0] & 0x1fU, part_of(event), now_ns));
        break;
    }
  }
  require(duel.drain());
  return 0;
}
