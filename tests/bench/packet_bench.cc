// Parser, flow hash and Toeplitz hash, a packet each: the smallest frames of a thousand flows, all
// in the first caches.
#include <vector>

#include <benchmark/benchmark.h>

#include "dataplane/packet/flow_key.h"
#include "dataplane/packet/parser.h"
#include "dataplane/packet/toeplitz.h"
#include "tests/bench/addresses.h"
#include "tests/bench/frame_writer.h"

namespace ballast {
namespace {

using bench::FrameWriter;

constexpr uint32_t kFrames = 256;
constexpr FlowHashKey kHashKey{{0x9ae16a3b2f90404f, 0xc949d7c7509e6557, 0xff51afd7ed558ccd,
                                0xc4ceb9fe1a85ec53, 0x87c37b91114253d5, 0x4cf5ad432745937f}};

struct Frame {
  alignas(64) std::array<uint8_t, 128> bytes{};
};

template <Family kFamily, IpProtocol kProtocol>
std::vector<Frame> frames_of(const FrameWriter& writer) {
  std::vector<Frame> frames(kFrames);
  uint32_t number = 0;
  for (Frame& frame : frames) {
    writer.write_template(frame.bytes.data());
    writer.write<kFamily, kProtocol>(frame.bytes.data(), number += 7919, kAck);
  }
  return frames;
}

template <Family kFamily, IpProtocol kProtocol>
void parse_frame(benchmark::State& state) {
  const FrameWriter writer({kFamily, kProtocol});
  std::vector<Frame> frames = frames_of<kFamily, kProtocol>(writer);
  ParsedPacket parsed;
  for (auto _ : state) {
    for (Frame& frame : frames) {
      const PacketView view{frame.bytes.data(), writer.size(), writer.size()};
      if (parse(view, parsed) != DropReason::kNone) {
        return state.SkipWithError("a frame was refused");
      }
      benchmark::DoNotOptimize(parsed);
    }
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * kFrames));
}

template <Family kFamily>
std::vector<FlowKey> keys_of() {
  const FrameWriter writer({kFamily, IpProtocol::kTcp});
  std::vector<FlowKey> keys;
  for (Frame& frame : frames_of<kFamily, IpProtocol::kTcp>(writer)) {
    ParsedPacket parsed;
    const PacketView view{frame.bytes.data(), writer.size(), writer.size()};
    if (parse(view, parsed) == DropReason::kNone) {
      keys.push_back(parsed.flow_from_client());
    }
  }
  return keys;
}

template <Family kFamily>
void hash_flow(benchmark::State& state) {
  const std::vector<FlowKey> keys = keys_of<kFamily>();
  for (auto _ : state) {
    for (const FlowKey& key : keys) {
      benchmark::DoNotOptimize(flow_hash(key, kHashKey));
    }
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * keys.size()));
}

template <Family kFamily>
void hash_toeplitz(benchmark::State& state) {
  const std::vector<FlowKey> keys = keys_of<kFamily>();
  const ToeplitzHash toeplitz(kMicrosoftRssKey);
  for (auto _ : state) {
    for (const FlowKey& key : keys) {
      benchmark::DoNotOptimize(toeplitz.hash(key.client, key.vip, key.client_port, key.vip_port));
    }
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * keys.size()));
}

BENCHMARK(parse_frame<Family::kIpv4, IpProtocol::kTcp>)->Name("Parse/ipv4/tcp");
BENCHMARK(parse_frame<Family::kIpv4, IpProtocol::kUdp>)->Name("Parse/ipv4/udp");
BENCHMARK(parse_frame<Family::kIpv6, IpProtocol::kTcp>)->Name("Parse/ipv6/tcp");
BENCHMARK(parse_frame<Family::kIpv6, IpProtocol::kUdp>)->Name("Parse/ipv6/udp");
BENCHMARK(hash_flow<Family::kIpv4>)->Name("FlowHash/ipv4");
BENCHMARK(hash_flow<Family::kIpv6>)->Name("FlowHash/ipv6");
BENCHMARK(hash_toeplitz<Family::kIpv4>)->Name("Toeplitz/ipv4");
BENCHMARK(hash_toeplitz<Family::kIpv6>)->Name("Toeplitz/ipv6");

}  // namespace
}  // namespace ballast

BENCHMARK_MAIN();
