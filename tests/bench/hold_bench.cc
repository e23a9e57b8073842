#include "tests/bench/hold_bench.h"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "tests/bench/runner.h"

namespace ballast::bench {
namespace {

// 80 % of the entries when all are there.
ConnectionLimits limits_for(uint32_t flows, bool translations) {
  const uint64_t entries = std::max<uint64_t>(uint64_t{flows} * 5 / 4, 1024);
  return {static_cast<uint32_t>(entries * 10 / 11), static_cast<uint32_t>(entries / 11),
          translations};
}

struct Row {
  Forwarding forwarding;
  Family family;
  std::string traffic;
  uint32_t flows;
  size_t bytes = 0;
  size_t table_bytes = 0;
  uint64_t trusted = 0;
  double seconds = 0;  // to open and to check all
};

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

tl::expected<void, std::string> measure(Network& network, const HoldOptions& options, Row& row) {
  auto director =
      Director::create(network, {.forwarding = row.forwarding,
                                 .connections = limits_for(row.flows, options.translations),
                                 .flows = row.flows,
                                 .hugepages = options.hugepages});
  if (!director) {
    return tl::unexpected(director.error());
  }
  row.bytes = (*director)->memory_bytes();
  row.table_bytes = (*director)->connection_memory_bytes();
  const auto begin = std::chrono::steady_clock::now();
  Runner runner(**director, row.family, row.traffic == "udp" ? IpProtocol::kUdp : IpProtocol::kTcp,
                row.flows, 0);
  if (auto done = runner.open(); !done) {
    return done;
  }
  if (auto verdict = runner.verify(Direction::kIn); !verdict) {
    return verdict;
  }
  if (row.forwarding.translates()) {
    if (auto verdict = runner.verify(Direction::kOut); !verdict) {
      return verdict;
    }
  }
  row.seconds = seconds_since(begin);
  row.trusted = (*director)->trusted();
  if (row.trusted != row.flows) {
    return tl::unexpected(fmt::format("{} of {} connections are held", row.trusted, row.flows));
  }
  return {};
}

void add(const Row& row, Report& report) {
  const double each = static_cast<double>(row.bytes) / row.flows;
  const double in_table = static_cast<double>(row.table_bytes) / row.flows;
  const bool both = row.forwarding.translates();
  report.add(JsonObject()
                 .add("mode", row.forwarding.name(row.family))
                 .add("family", static_cast<int>(row.family))
                 .add("direction", both ? "both" : "in")
                 .add("traffic", row.traffic)
                 .add("flows", row.flows)
                 .add("workers", 1)
                 .add("ns_per_packet", 1e9 * row.seconds / row.flows)
                 .add("bytes", row.bytes)
                 .add("bytes_per_connection", each)
                 .add("table_bytes_per_connection", in_table),
             fmt::format("{:<10} IPv{}  {:<12} {:>9}  {:>8.1f} {:>8.1f} {:>8.1f}   {} ({:.1f} s)",
                         row.forwarding.name(row.family), static_cast<int>(row.family), row.traffic,
                         row.trusted, in_table, each - in_table, each,
                         both ? "all found from both sides" : "all found", row.seconds));
}

}  // namespace

uint64_t largest_table(const HoldOptions& options) {
  uint64_t largest = 0;
  for (const uint32_t flows : options.flows) {
    const ConnectionLimits limits = limits_for(flows, options.translations);
    largest = std::max<uint64_t>(largest, uint64_t{limits.trusted} + limits.untrusted);
  }
  return largest;
}

void measure_hold(Network& network, const HoldOptions& options, Report& report) {
  report.title(
      "                               bytes a connection\n"
      "mode       IP    traffic           held     table    ports      all");
  for (const Family family : options.families) {
    for (const std::string& traffic : options.traffic) {
      for (const uint32_t flows : options.flows) {
        Forwarding forwarding = options.forwarding;
        forwarding.servers = family;
        Row row{forwarding, family, traffic, flows};
        if (const auto done = measure(network, options, row); done) {
          add(row, report);
        } else {
          report.fail(fmt::format("{}/{}/{}/{}", forwarding.name(family), static_cast<int>(family),
                                  traffic, flows),
                      done.error());
        }
      }
    }
  }
}

}  // namespace ballast::bench
