// Every scheduler there is: a pick, and building its tables, with few and with many servers of
// unequal weight.
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "dataplane/scheduler/scheduler_list.h"
#include "tests/bench/flow_keys.h"

namespace ballast {
namespace {

constexpr uint32_t kFlows = 1024;

class NoLoads final : public ServerLoads {
 public:
  [[nodiscard]] uint32_t active_connections(ServerIndex) const override { return 0; }
  [[nodiscard]] uint32_t inactive_connections(ServerIndex) const override { return 0; }
};

std::vector<SchedulableServer> servers(int64_t count) {
  std::vector<SchedulableServer> result;
  for (uint32_t i = 0; i < static_cast<uint32_t>(count); ++i) {
    const IpAddress address =
        IpAddress::v4({192, 168, static_cast<uint8_t>(i >> 8U), static_cast<uint8_t>(i)});
    result.push_back({ServerIndex{i + 1}, address, Big16::from_host(80), 1 + i % 7});
  }
  return result;
}

void pick(benchmark::State& state, const SchedulerDescription& kind) {
  const std::unique_ptr<Scheduler> scheduler = kind.make();
  const std::vector<SchedulableServer> usable = servers(state.range(0));
  scheduler->set_pool({usable, {}}, nullptr);
  const bench::FlowMaker flow;
  std::vector<FlowKey> flows;
  for (uint32_t number = 0; number < kFlows; ++number) {
    flows.push_back(flow(number * 7919));
  }
  const NoLoads loads;
  SchedulerCursor cursor;
  for (auto _ : state) {
    for (const FlowKey& each : flows) {
      benchmark::DoNotOptimize(scheduler->pick({each, loads, cursor}));
    }
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * kFlows));
}

void set_servers(benchmark::State& state, const SchedulerDescription& kind) {
  const std::vector<SchedulableServer> usable = servers(state.range(0));
  for (auto _ : state) {
    const std::unique_ptr<Scheduler> scheduler = kind.make();
    scheduler->set_pool({usable, {}}, nullptr);
    benchmark::DoNotOptimize(scheduler.get());
  }
}

void register_all() {
  for (const SchedulerDescription& kind : all_schedulers()) {
    const std::string name(kind.name);
    for (const int64_t count : {16, 1000}) {
      benchmark::RegisterBenchmark(("Pick/" + name).c_str(), pick, kind)->Arg(count);
      benchmark::RegisterBenchmark(("SetServers/" + name).c_str(), set_servers, kind)->Arg(count);
    }
  }
}

}  // namespace
}  // namespace ballast

int main(int argc, char** argv) {
  ballast::register_all();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
