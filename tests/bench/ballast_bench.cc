// ballast_bench: the program's own loop, measured.
#include <cstdio>
#include <cstdlib>
#include <functional>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sched.h>

#include "dataplane/dpdk/eal.h"
#include "tests/bench/hugepages.h"
#include "tests/bench/newflows_bench.h"
#include "tests/bench/pipeline_bench.h"
#include "tests/bench/scale_bench.h"

namespace ballast::bench {
namespace {

constexpr uint32_t kDpdkMb = 128;
constexpr uint32_t kMostFlows = 100'000'000;
// Entry, buckets and timer slots of a connection, with room to spare.
constexpr uint64_t kBytesPerEntry = 112;

struct CommonOptions {
  std::string json;
  std::string cores = "1";
  bool one_armed = false;
  bool no_hugepages = false;
};

[[noreturn]] void die(const std::string& text) {
  fmt::print(stderr, "ballast_bench: {}\n", text);
  std::exit(EXIT_FAILURE);
}

bool may_use(unsigned core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  sched_getaffinity(0, sizeof(set), &set);
  return core < CPU_SETSIZE && CPU_ISSET(core, &set);
}

DataplaneSettings settings_for_eal(const CommonOptions& options, bool hugepages) {
  DataplaneSettings settings;
  settings.workers = static_cast<uint16_t>(
      parse_core_list(options.cores).value_or(std::vector<unsigned>{}).size());
  settings.cores = options.cores;
  settings.hugepages = hugepages ? HugepageMode::kYes : HugepageMode::kNo;
  settings.memory_mb = kDpdkMb;
  settings.runtime_dir = fmt::format("/run/ballast-bench-{}", getpid());
  return settings;
}

// The main thread sleeps while workers run, but what it does must not be on a worker's core.
void move_main_thread_off(const std::string& cores) {
  const std::vector<unsigned> taken = parse_core_list(cores).value_or(std::vector<unsigned>{});
  cpu_set_t all;
  CPU_ZERO(&all);
  sched_getaffinity(0, sizeof(all), &all);
  cpu_set_t rest = all;
  for (const unsigned core : taken) {
    CPU_CLR(core, &rest);
  }
  if (CPU_COUNT(&rest) != 0) {
    sched_setaffinity(0, sizeof(rest), &rest);
  }
}

using Measure = std::function<void(Network&, Report&, bool hugepages)>;

int run(const std::string& name, const CommonOptions& options, uint64_t table_entries,
        const Measure& measure) {
  const auto cores = parse_core_list(options.cores);
  if (!cores || cores->empty()) {
    die(fmt::format("--cores: {}: expected a list as 1 or 0-1", options.cores));
  }
  for (const unsigned core : *cores) {
    if (!may_use(core)) {
      die(fmt::format("--cores: {}: this process may not run on core {}", options.cores, core));
    }
  }
  const HugepageReservation reservation(options.no_hugepages
                                            ? 0
                                            : (uint64_t{kDpdkMb} << 20U) +
                                                  table_entries * kBytesPerEntry * cores->size());
  const bool hugepages = !options.no_hugepages && reservation.complete();
  const std::string in_words =
      options.no_hugepages
          ? "none (--no-hugepages)"
          : fmt::format("{} of the {} wanted, of 2 MiB{}", reservation.got(), reservation.wanted(),
                        hugepages ? "" : ": NOT ENOUGH, measured without");
  const DataplaneSettings settings = settings_for_eal(options, hugepages);
  const auto eal = Eal::start(settings, Network::vdevs(options.one_armed), {});
  if (!eal) {
    die(eal.error());
  }
  move_main_thread_off(options.cores);
  Report report(name, describe_machine(cores->front(), in_words));
  report.begin();
  {
    auto network = Network::create(settings.workers, options.one_armed);
    if (!network) {
      die(network.error());
    }
    measure(**network, report, hugepages);
  }
  if (!options.json.empty()) {
    if (const auto done = report.write(options.json); !done) {
      die(done.error());
    }
  }
  return report.failed() ? EXIT_FAILURE : EXIT_SUCCESS;
}

void add_common(CLI::App& command, CommonOptions& options) {
  command.add_option("--json", options.json, "write the figures to this file as well");
  command.add_option("--cores", options.cores, "the workers' cores, one each")
      ->capture_default_str();
  command.add_flag("--one-armed", options.one_armed, "one port for both directions");
  command.add_flag("--no-hugepages", options.no_hugepages, "without reserved hugepages");
}

// What the benchmarks' options have in common. The families are read as numbers.
template <typename Options>
void add_measurement(CLI::App& command, Options& options, std::vector<int>& families) {
  command.add_option("--family", families, "4, 6 or 4,6")
      ->check(CLI::IsMember({4, 6}))
      ->delimiter(',')
      ->capture_default_str();
  command.add_option("--flows", options.flows, "numbers of flows")
      ->check(CLI::Range(1U, kMostFlows))
      ->delimiter(',')
      ->capture_default_str();
  command.add_option("--runs", options.runs, "of each row")
      ->check(CLI::Range(1U, 1000U))
      ->capture_default_str();
  command.add_option("--milliseconds", options.milliseconds, "of a run, about")
      ->check(CLI::Range(1U, 60'000U))
      ->capture_default_str();
}

void add_traffic(CLI::App& command, std::vector<std::string>& traffic,
                 const std::vector<std::string>& kinds) {
  traffic = kinds;
  command.add_option("--traffic", traffic)
      ->check(CLI::IsMember(kinds))
      ->delimiter(',')
      ->capture_default_str();
}

template <typename Options>
int measure(const std::string& name, const CommonOptions& common, const std::vector<int>& families,
            Options& options, void (*bench)(Network&, const Options&, Report&)) {
  for (const int family : families) {
    options.families.push_back(static_cast<Family>(family));
  }
  return run(name, common, largest_table(options),
             [&options, bench](Network& network, Report& report, bool hugepages) {
               options.hugepages = hugepages;
               bench(network, options, report);
             });
}

int main_of(int argc, char** argv) {
  CLI::App app{"ns per packet of Ballast's packet path, in one process"};
  app.require_subcommand(1);
  CommonOptions common;
  std::string mode = "dr";
  std::vector<int> families{4, 6};

  PipelineOptions pipeline;
  pipeline.flows = {1, 1'000, 10'000, 100'000, 1'000'000, 4'000'000};
  CLI::App& pipeline_command =
      *app.add_subcommand("pipeline", "kinds of traffic and numbers of flows, the floor beside");
  add_measurement(pipeline_command, pipeline, families);
  add_traffic(pipeline_command, pipeline.traffic, {"udp", "established", "mixed"});
  pipeline_command
      .add_option("--capacity", pipeline.capacity,
                  "entries of the table for udp and established; 0: 1.25 times the flows")
      ->check(CLI::Range(0U, kMostFlows));

  NewFlowsOptions new_flows;
  new_flows.flows = {1'000'000, 4'000'000};
  CLI::App& new_flows_command =
      *app.add_subcommand("newflows", "new connections while the table fills, and a SYN flood");
  add_measurement(new_flows_command, new_flows, families);
  new_flows_command.add_option("--established", new_flows.established, "flows during the flood")
      ->check(CLI::Range(1000U, kMostFlows))
      ->capture_default_str();
  new_flows_command.add_option("--untrusted", new_flows.untrusted_quota, "the flood's quota")
      ->check(CLI::Range(1000U, kMostFlows))
      ->capture_default_str();

  ScaleOptions scale;
  scale.flows = {1'000, 100'000, 1'000'000};
  CLI::App& scale_command =
      *app.add_subcommand("scale", "workers with a source each, against one (--cores 0,1)");
  add_measurement(scale_command, scale, families);
  add_traffic(scale_command, scale.traffic, {"udp", "established"});

  for (CLI::App* command : {&pipeline_command, &new_flows_command, &scale_command}) {
    add_common(*command, common);
    command->add_option("--mode", mode)->check(CLI::IsMember({"dr"}))->capture_default_str();
  }
  CLI11_PARSE(app, argc, argv);
  if (pipeline_command.parsed()) {
    return measure("pipeline", common, families, pipeline, &measure_pipeline);
  }
  if (new_flows_command.parsed()) {
    return measure("newflows", common, families, new_flows, &measure_new_flows);
  }
  if (scale_command.count("--cores") == 0) {
    common.cores = "0,1";
  }
  return measure("scale", common, families, scale, &measure_scale);
}

}  // namespace
}  // namespace ballast::bench

int main(int argc, char** argv) {
  return ballast::bench::main_of(argc, argv);
}
