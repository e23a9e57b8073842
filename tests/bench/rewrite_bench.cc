// What is done to a packet, by mode.
#include <array>
#include <vector>

#include <benchmark/benchmark.h>

#include "dataplane/rewrite/direct_routing.h"
#include "tests/bench/addresses.h"
#include "tests/bench/frame_writer.h"

namespace ballast {
namespace {

constexpr size_t kFrames = 256;

void direct_routing(benchmark::State& state) {
  const bench::FrameWriter writer({Family::kIpv4, IpProtocol::kTcp}, bench::kRouterMac,
                                  bench::kWanMac);
  struct Frame {
    alignas(64) std::array<uint8_t, 128> bytes{};
  };
  std::vector<Frame> frames(kFrames);
  for (Frame& frame : frames) {
    writer.write_template(frame.bytes.data());
  }
  for (auto _ : state) {
    for (Frame& frame : frames) {
      rewrite_direct_routing({frame.bytes.data(), writer.size(), writer.size()}, bench::kLanMac,
                             bench::kRouterMac);
    }
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * kFrames));
}
BENCHMARK(direct_routing)->Name("Rewrite/dr");

}  // namespace
}  // namespace ballast

BENCHMARK_MAIN();
