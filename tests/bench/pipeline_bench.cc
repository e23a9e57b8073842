#include "tests/bench/pipeline_bench.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "tests/bench/addresses.h"
#include "tests/bench/runner.h"
#include "tests/bench/verdict.h"

namespace ballast::bench {
namespace {

constexpr uint32_t kFewest = 64;

// Known flows alone: trusted and untrusted entries together are 1.25 times the flows. Mixed: closed
// connections fill what is left of the trusted entries, an eighth of the flows, and each new one
// pushes out the one that was closed first; new ones are untrusted until the ACKs come round to
// them.
ConnectionLimits limits_for(const std::string& traffic, uint32_t flows, uint32_t capacity) {
  const auto at_least = [](uint64_t entries) {
    return static_cast<uint32_t>(std::max<uint64_t>(entries, kFewest));
  };
  if (traffic == "mixed") {
    return {at_least(uint64_t{flows} * 9 / 8), at_least(flows / 4)};
  }
  const uint64_t entries = capacity != 0 ? capacity : uint64_t{flows} * 5 / 4;
  return {at_least(entries * 10 / 11), at_least(entries / 11)};
}

struct Row {
  Forwarding forwarding;
  Family family;
  std::string traffic;
  uint32_t flows;
  Sample ns;
  Sample floor;
  Sample cycles;
  size_t memory_bytes = 0;
  unsigned disturbed = 0;  // runs

  [[nodiscard]] std::string name() const {
    return fmt::format("{}/{}/{}/{}/{}", forwarding.name(family), static_cast<int>(family),
                       forwarding.direction_name(), traffic, flows);
  }
  [[nodiscard]] JsonObject json() const {
    return JsonObject()
        .add("mode", forwarding.name(family))
        .add("family", static_cast<int>(family))
        .add("direction", forwarding.direction_name())
        .add("traffic", traffic)
        .add("flows", flows)
        .add("workers", 1)
        .add("mpps", 1000 / ns.median())
        .add("ns_per_packet", ns.median())
        .add("floor_ns", floor.median())
        .add("cycles_per_packet", cycles.median())
        .add("ns_min", ns.min())
        .add("ns_max", ns.max())
        .add("floor_min", floor.min())
        .add("floor_max", floor.max())
        .add("table_bytes", memory_bytes)
        .add("disturbed", disturbed);
  }
  [[nodiscard]] std::string line() const {
    return fmt::format(
        "{:<10} {:<3}  IPv{}  {:<12} {:>8}  {:>7.2f}  {:>7.1f}  {:>6.1f} {:>6.1f}  {:>6.1f} "
        "{:>6.1f} {:>6.1f}  {:>7.0f}{}",
        forwarding.name(family), forwarding.direction_name(), static_cast<int>(family), traffic,
        flows, 1000 / ns.median(), ns.median(), ns.min(), ns.max(), floor.median(), floor.min(),
        floor.max(), cycles.median(), in_words(disturbed));
  }
};

constexpr const char* kTitle =
    "mode       way  IP    traffic         flows     Mpps   ns/pkt     min    max   floor    min  "
    "  max   cycles";

tl::expected<void, std::string> measure(Network& network, const PipelineOptions& options,
                                        Row& row) {
  ConnectionLimits limits = limits_for(row.traffic, row.flows, options.capacity);
  limits.translations = options.translations;
  auto director = Director::create(network, {.forwarding = row.forwarding,
                                             .connections = limits,
                                             .flows = row.flows,
                                             .hugepages = options.hugepages});
  if (!director) {
    return tl::unexpected(director.error());
  }
  row.memory_bytes = (*director)->connection_memory_bytes();
  Runner runner(**director, row.family, row.traffic == "udp" ? IpProtocol::kUdp : IpProtocol::kTcp,
                row.flows, options.milliseconds);
  if (auto done = runner.open(); !done) {
    return done;
  }
  Traffic traffic(row.traffic == "mixed" ? Pattern::kMixed : Pattern::kKnown, row.flows);
  const uint64_t packets = runner.packets_in_time(traffic);
  for (unsigned run = 0; run < options.runs; ++run) {
    Director::Books before;
    const Stretch stretch = runner.undisturbed([&] {
      before = (*director)->books();
      return runner.worker(traffic, packets);
    });
    if (auto verdict = all_was_forwarded(before, (*director)->books(), row.flows); !verdict) {
      return verdict;
    }
    row.ns.add(stretch.ns_per_packet());
    row.cycles.add(stretch.cycles_per_packet());
    row.floor.add(
        runner.undisturbed([&] { return runner.floor(traffic, packets); }).ns_per_packet());
  }
  row.disturbed = runner.disturbed();
  return row.traffic == "mixed" ? tl::expected<void, std::string>()
                                : runner.verify(row.forwarding.direction);
}

Forwarding forwarding_of(const PipelineOptions& options, Family clients) {
  Forwarding forwarding = options.forwarding;
  const bool v4 = (clients == Family::kIpv4) != options.servers_of_other_family;
  forwarding.servers = v4 ? Family::kIpv4 : Family::kIpv6;
  return forwarding;
}

}  // namespace

uint64_t largest_table(const PipelineOptions& options) {
  uint64_t largest = options.capacity;
  for (const std::string& traffic : options.traffic) {
    for (const uint32_t flows : options.flows) {
      const ConnectionLimits limits = limits_for(traffic, flows, options.capacity);
      largest = std::max<uint64_t>(largest, uint64_t{limits.trusted} + limits.untrusted);
    }
  }
  return largest;
}

void measure_pipeline(Network& network, const PipelineOptions& options, Report& report) {
  report.title(kTitle);
  for (const Family family : options.families) {
    for (const std::string& traffic : options.traffic) {
      for (const uint32_t flows : options.flows) {
        Row row{forwarding_of(options, family), family, traffic, flows, {}, {}, {}};
        if (const auto done = measure(network, options, row); done) {
          report.add(row.json(), row.line());
        } else {
          report.fail(row.name(), done.error());
        }
      }
    }
  }
}

}  // namespace ballast::bench
