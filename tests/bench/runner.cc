#include "tests/bench/runner.h"

#include <algorithm>

#include <fmt/format.h>

#include "tests/bench/floor.h"

namespace ballast::bench {
namespace {

constexpr uint64_t kGuess = 1'000'000;
constexpr uint64_t kBlock = 64 * 10;
constexpr unsigned kAttempts = 4;

}  // namespace

uint64_t Runner::whole_blocks(uint64_t packets) {
  return std::max<uint64_t>(1, (packets + kBlock - 1) / kBlock) * kBlock;
}

void Runner::open(uint32_t flows, uint32_t first) {
  Traffic opening(Pattern::kOpen, flows, first);
  worker(opening, (uint64_t{flows} + 31) / 32 * 64, 0);
}

uint64_t Runner::packets_in_time(Traffic& traffic) {
  const Stretch guess = worker(traffic, whole_blocks(kGuess));
  const double wanted_ns = milliseconds_ * 1e6;
  return whole_blocks(std::max(static_cast<uint64_t>(wanted_ns / guess.ns_per_packet()), kGuess));
}

Stretch Runner::worker(Traffic& traffic, uint64_t packets, uint64_t warm_up) {
  return source().run({&traffic, &frames_, warm_up, packets, nullptr, {}});
}

Stretch Runner::floor(const Traffic& traffic, uint64_t packets) {
  Traffic copy = traffic;
  PacketSource& source = this->source();
  std::vector<PortPair>& ports = director_.network().ports();
  source.begin({&copy, &frames_, kWarmUp, packets, nullptr, {}},
               [&ports, &source] { swap_macs(ports, WorkerIndex{0}, source); });
  return source.finish();
}

Stretch Runner::undisturbed(const std::function<Stretch()>& run) {
  Stretch stretch;
  for (unsigned attempt = 0; attempt < kAttempts; ++attempt) {
    stretch = run();
    if (!stretch.disturbed()) {
      return stretch;
    }
  }
  ++disturbed_;
  return stretch;
}

std::string in_words(unsigned disturbed) {
  return disturbed == 0 ? std::string() : fmt::format("  {} runs disturbed", disturbed);
}

}  // namespace ballast::bench
