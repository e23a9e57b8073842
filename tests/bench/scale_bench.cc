#include "tests/bench/scale_bench.h"

#include <algorithm>
#include <atomic>

#include <fmt/format.h>

#include "tests/bench/addresses.h"
#include "tests/bench/runner.h"
#include "tests/bench/verdict.h"

namespace ballast::bench {
namespace {

constexpr uint64_t kGuess = 1'000'000;

ConnectionLimits limits_for(uint32_t flows) {
  const uint64_t entries = std::max<uint64_t>(uint64_t{flows} * 5 / 4, 1024);
  return {static_cast<uint32_t>(entries * 10 / 11), static_cast<uint32_t>(entries / 11)};
}

// All workers' sources, each with flows of its own.
class Crowd {
 public:
  Crowd(Network& network, const FrameWriter& frames, uint32_t flows)
      : network_(network), frames_(frames) {
    for (uint16_t worker = 0; worker < network.workers(); ++worker) {
      Traffic opening(Pattern::kOpen, flows, flows * worker);
      network.source(worker).run(run_of(opening, 0, (uint64_t{flows} + 31) / 32 * 64));
      traffic_.emplace_back(Pattern::kKnown, flows, flows * worker);
    }
  }

  // Millions of packets a second of this one while the others wait.
  Stretch alone(size_t worker, uint64_t packets) {
    return network_.source(worker).run(run_of(traffic_[worker], Runner::kWarmUp, packets));
  }

  // Of all at once: who is through goes on until the last one is.
  std::vector<Stretch> together(uint64_t packets) {
    std::atomic<bool> all_through{false};
    std::atomic<unsigned> busy{network_.workers()};
    const auto through = [&] {
      if (busy.fetch_sub(1) == 1) {
        all_through.store(true, std::memory_order_release);
      }
    };
    for (size_t worker = 0; worker < traffic_.size(); ++worker) {
      PacketSource::Run run = run_of(traffic_[worker], Runner::kWarmUp, packets);
      run.until = &all_through;
      run.on_measured = through;
      network_.source(worker).begin(run);
    }
    std::vector<Stretch> stretches;
    for (size_t worker = 0; worker < traffic_.size(); ++worker) {
      stretches.push_back(network_.source(worker).finish());
    }
    return stretches;
  }

 private:
  PacketSource::Run run_of(Traffic& traffic, uint64_t warm_up, uint64_t packets) {
    PacketSource::Run run;
    run.traffic = &traffic;
    run.frames = &frames_;
    run.warm_up = warm_up;
    run.measured = packets;
    return run;
  }

  Network& network_;
  const FrameWriter& frames_;
  std::vector<Traffic> traffic_;
};

struct Row {
  Forwarding forwarding;
  Family family;
  std::string traffic;
  uint32_t flows;
  Sample alone;     // Mpps of one worker, the mean of all
  Sample together;  // Mpps of all
  Sample ratio;
  unsigned disturbed = 0;
};

double mpps(const Stretch& stretch) {
  return 1000 / stretch.ns_per_packet();
}

tl::expected<void, std::string> measure(Network& network, const ScaleOptions& options, Row& row) {
  ConnectionLimits limits = limits_for(row.flows);
  limits.translations = options.translations;
  auto director = Director::create(
      network,
      {.forwarding = row.forwarding, .connections = limits, .hugepages = options.hugepages});
  if (!director) {
    return tl::unexpected(director.error());
  }
  const FrameWriter frames(
      {row.family, row.traffic == "udp" ? IpProtocol::kUdp : IpProtocol::kTcp});
  Crowd crowd(network, frames, row.flows);
  const uint64_t packets = Runner::whole_blocks(static_cast<uint64_t>(
      options.milliseconds * 1e6 / crowd.alone(0, Runner::whole_blocks(kGuess)).ns_per_packet()));
  const Director::Books before = (*director)->books();
  for (unsigned run = 0; run < options.runs; ++run) {
    double alone = 0;
    for (size_t worker = 0; worker < network.workers(); ++worker) {
      const Stretch stretch = crowd.alone(worker, packets);
      alone += mpps(stretch) / network.workers();
      row.disturbed += stretch.disturbed() ? 1 : 0;
    }
    double together = 0;
    for (const Stretch& stretch : crowd.together(packets)) {
      together += mpps(stretch);
      row.disturbed += stretch.disturbed() ? 1 : 0;
    }
    row.alone.add(alone);
    row.together.add(together);
    row.ratio.add(together / alone);
  }
  return all_was_forwarded(before, (*director)->books(), row.flows);
}

void report_row(const Row& row, uint16_t workers, Report& report) {
  report.add(JsonObject()
                 .add("mode", row.forwarding.name(row.family))
                 .add("family", static_cast<int>(row.family))
                 .add("direction", "in")
                 .add("traffic", row.traffic)
                 .add("flows", row.flows)
                 .add("workers", workers)
                 .add("mpps", row.together.median())
                 .add("ns_per_packet", 1000 / row.together.median())
                 .add("one_mpps", row.alone.median())
                 .add("ratio", row.ratio.median())
                 .add("ratio_min", row.ratio.min())
                 .add("ratio_max", row.ratio.max())
                 .add("disturbed", row.disturbed),
             fmt::format("IPv{}  {:<12} {:>8}  {:>7.2f}  {:>9.2f}  {:>6.2f} {:>6.2f} {:>6.2f}{}",
                         static_cast<int>(row.family), row.traffic, row.flows, row.alone.median(),
                         row.together.median(), row.ratio.median(), row.ratio.min(),
                         row.ratio.max(), in_words(row.disturbed)));
}

}  // namespace

uint64_t largest_table(const ScaleOptions& options) {
  uint64_t largest = 0;
  for (const uint32_t flows : options.flows) {
    const ConnectionLimits limits = limits_for(flows);
    largest = std::max<uint64_t>(largest, uint64_t{limits.trusted} + limits.untrusted);
  }
  return largest;
}

void measure_scale(Network& network, const ScaleOptions& options, Report& report) {
  report.title(
      fmt::format("IP    traffic      flows each  one Mpps  {} Mpps    ratio    min    max",
                  network.workers()));
  for (const Family family : options.families) {
    for (const std::string& traffic : options.traffic) {
      for (const uint32_t flows : options.flows) {
        Forwarding forwarding = options.forwarding;
        forwarding.servers = family;
        Row row{forwarding, family, traffic, flows, {}, {}, {}};
        if (const auto done = measure(network, options, row); done) {
          report_row(row, network.workers(), report);
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
