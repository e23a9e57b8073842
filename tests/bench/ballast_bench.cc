// ballast_bench: the program's own loop, measured.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sched.h>

#include "dataplane/dpdk/eal.h"
#include "tests/bench/hold_bench.h"
#include "tests/bench/hugepages.h"
#include "tests/bench/newflows_bench.h"
#include "tests/bench/pipeline_bench.h"
#include "tests/bench/scale_bench.h"

namespace ballast::bench {
namespace {

constexpr uint32_t kDpdkMb = 128;
constexpr uint32_t kMostFlows = 100'000'000;
// Entry, buckets and timer slots of a connection, with room to spare; and what NAT and FULLNAT need
// beside them: record, buckets and two local ports that may be taken or rest.
constexpr uint64_t kBytesPerEntry = 112;
constexpr uint64_t kTranslationBytesPerEntry = 88;

struct CommonOptions {
  std::string json;
  std::string cores = "1";
  bool one_armed = false;
  bool no_hugepages = false;
  bool no_nat = false;
};

const std::map<std::string, ForwardingMode> kModes{{"dr", ForwardingMode::kDirectRouting},
                                                   {"tun", ForwardingMode::kTunnel},
                                                   {"nat", ForwardingMode::kNat},
                                                   {"fullnat", ForwardingMode::kFullNat}};
const std::map<std::string, Encapsulation> kEncapsulations{
    {"ipip", Encapsulation::kIpIp}, {"gre", Encapsulation::kGre}, {"gue", Encapsulation::kGue}};

struct ForwardingOptions {
  std::string mode = "dr";
  std::string direction = "in";
  std::string encapsulation = "ipip";

  [[nodiscard]] Forwarding forwarding() const {
    Forwarding result;
    result.mode = kModes.at(mode);
    result.direction = direction == "in" ? Direction::kIn : Direction::kOut;
    result.encapsulation = kEncapsulations.at(encapsulation);
    return result;
  }
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
  const uint64_t entry_bytes = kBytesPerEntry + (options.no_nat ? 0 : kTranslationBytesPerEntry);
  const HugepageReservation reservation(options.no_hugepages
                                            ? 0
                                            : (uint64_t{kDpdkMb} << 20U) +
                                                  table_entries * entry_bytes * cores->size());
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
  command.add_flag("--no-nat", options.no_nat,
                   "without the tables of NAT and FULLNAT, as with [connections] nat = false");
}

std::vector<std::string> names_of(const auto& map) {
  std::vector<std::string> names;
  for (const auto& [name, value] : map) {
    names.push_back(name);
  }
  return names;
}

void add_mode(CLI::App& command, ForwardingOptions& options,
              const std::vector<std::string>& modes) {
  command.add_option("--mode", options.mode)->check(CLI::IsMember(modes))->capture_default_str();
  command.add_option("--encapsulation", options.encapsulation, "of mode tun")
      ->check(CLI::IsMember(names_of(kEncapsulations)))
      ->capture_default_str();
}

// What the benchmarks' options have in common. The families are read as numbers.
template <typename Options>
void add_flows(CLI::App& command, Options& options, std::vector<int>& families) {
  command.add_option("--family", families, "4, 6 or 4,6")
      ->check(CLI::IsMember({4, 6}))
      ->delimiter(',')
      ->capture_default_str();
  command.add_option("--flows", options.flows, "numbers of flows")
      ->check(CLI::Range(1U, kMostFlows))
      ->delimiter(',')
      ->capture_default_str();
}

template <typename Options>
void add_runs(CLI::App& command, Options& options) {
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
int measure(const std::string& name, const CommonOptions& common,
            const ForwardingOptions& forwarding, const std::vector<int>& families, Options& options,
            void (*bench)(Network&, const Options&, Report&)) {
  options.forwarding = forwarding.forwarding();
  options.translations = !common.no_nat;
  if (common.no_nat && options.forwarding.translates()) {
    die(fmt::format("--no-nat: mode {} needs the tables of NAT", forwarding.mode));
  }
  for (const int family : families) {
    options.families.push_back(static_cast<Family>(family));
  }
  return run(name, common, largest_table(options),
             [&options, bench](Network& network, Report& report, bool hugepages) {
               options.hugepages = hugepages;
               bench(network, options, report);
             });
}

// What only some of the modes can do; a text says what is wrong.
std::string why_not(const ForwardingOptions& forwarding, const PipelineOptions& options) {
  const Forwarding wanted = forwarding.forwarding();
  if (wanted.direction == Direction::kOut && !wanted.translates()) {
    return fmt::format("--direction out: mode {} sees no packets of servers", forwarding.mode);
  }
  if (wanted.translates() &&
      std::find(options.traffic.begin(), options.traffic.end(), "mixed") != options.traffic.end()) {
    return fmt::format("--traffic mixed: in mode {} connections need their servers' packets",
                       forwarding.mode);
  }
  if (options.servers_of_other_family && wanted.mode != ForwardingMode::kTunnel) {
    return fmt::format("--other-family: mode {} does not go between families", forwarding.mode);
  }
  return {};
}

// All kinds' options.
struct AllOptions {
  CommonOptions common;
  ForwardingOptions forwarding;
  std::vector<int> families{4, 6};
  PipelineOptions pipeline;
  NewFlowsOptions new_flows;
  ScaleOptions scale;
  HoldOptions hold;
};

const std::vector<std::string> kAllModes = {"dr", "tun", "nat", "fullnat"};

CLI::App& add_pipeline(CLI::App& app, AllOptions& all) {
  PipelineOptions& options = all.pipeline;
  options.flows = {1, 1'000, 10'000, 100'000, 1'000'000, 4'000'000};
  CLI::App& command =
      *app.add_subcommand("pipeline", "kinds of traffic and numbers of flows, the floor beside");
  add_flows(command, options, all.families);
  add_runs(command, options);
  add_mode(command, all.forwarding, kAllModes);
  command
      .add_option("--direction", all.forwarding.direction,
                  "from the clients (in) or from the servers (out)")
      ->check(CLI::IsMember({"in", "out"}))
      ->capture_default_str();
  command.add_flag("--other-family", options.servers_of_other_family,
                   "mode tun: servers of the family that the clients are not of");
  command.add_option("--traffic", options.traffic, "default: udp,established, mixed in dr and tun")
      ->check(CLI::IsMember({"udp", "established", "mixed"}))
      ->delimiter(',');
  command
      .add_option("--capacity", options.capacity,
                  "entries of the table for udp and established; 0: 1.25 times the flows")
      ->check(CLI::Range(0U, kMostFlows));
  return command;
}

CLI::App& add_new_flows(CLI::App& app, AllOptions& all) {
  NewFlowsOptions& options = all.new_flows;
  options.flows = {1'000'000, 4'000'000};
  CLI::App& command =
      *app.add_subcommand("newflows", "new connections while the table fills, and a SYN flood");
  add_flows(command, options, all.families);
  add_runs(command, options);
  add_mode(command, all.forwarding, kAllModes);
  command.add_option("--established", options.established, "flows during the flood")
      ->check(CLI::Range(1000U, kMostFlows))
      ->capture_default_str();
  command.add_option("--untrusted", options.untrusted_quota, "the flood's quota")
      ->check(CLI::Range(1000U, kMostFlows))
      ->capture_default_str();
  command.add_flag("--no-flood", options.no_flood, "new connections alone");
  return command;
}

CLI::App& add_scale(CLI::App& app, AllOptions& all) {
  all.scale.flows = {1'000, 100'000, 1'000'000};
  CLI::App& command =
      *app.add_subcommand("scale", "workers with a source each, against one (--cores 0,1)");
  add_flows(command, all.scale, all.families);
  add_runs(command, all.scale);
  add_mode(command, all.forwarding, {"dr", "tun"});
  add_traffic(command, all.scale.traffic, {"udp", "established"});
  return command;
}

CLI::App& add_hold(CLI::App& app, AllOptions& all) {
  all.hold.flows = {2'000'000};
  CLI::App& command = *app.add_subcommand(
      "hold", "many connections at a time: their memory, and whether each is found");
  add_flows(command, all.hold, all.families);
  add_mode(command, all.forwarding, kAllModes);
  add_traffic(command, all.hold.traffic, {"udp", "established"});
  return command;
}

int main_of(int argc, char** argv) {
  CLI::App app{"ns per packet of Ballast's packet path, in one process"};
  app.require_subcommand(1);
  AllOptions all;
  const CLI::App& pipeline = add_pipeline(app, all);
  const CLI::App& new_flows = add_new_flows(app, all);
  const CLI::App& scale = add_scale(app, all);
  add_hold(app, all);
  for (CLI::App* command : app.get_subcommands({})) {
    add_common(*command, all.common);
  }
  CLI11_PARSE(app, argc, argv);
  if (pipeline.parsed()) {
    if (all.pipeline.traffic.empty()) {
      all.pipeline.traffic = {"udp", "established"};
      if (!all.forwarding.forwarding().translates()) {
        all.pipeline.traffic.emplace_back("mixed");
      }
    }
    if (const std::string why = why_not(all.forwarding, all.pipeline); !why.empty()) {
      die(why);
    }
    return measure("pipeline", all.common, all.forwarding, all.families, all.pipeline,
                   &measure_pipeline);
  }
  if (new_flows.parsed()) {
    return measure("newflows", all.common, all.forwarding, all.families, all.new_flows,
                   &measure_new_flows);
  }
  if (scale.parsed()) {
    if (scale.count("--cores") == 0) {
      all.common.cores = "0,1";
    }
    return measure("scale", all.common, all.forwarding, all.families, all.scale, &measure_scale);
  }
  return measure("hold", all.common, all.forwarding, all.families, all.hold, &measure_hold);
}

}  // namespace
}  // namespace ballast::bench

int main(int argc, char** argv) {
  return ballast::bench::main_of(argc, argv);
}
