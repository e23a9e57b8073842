// Ballast's connection table beside DPDK's rte_hash, doing the same: a burst of 32 flows in
// permuted order is looked up, and the time written into the connection of each; flows are added
// and removed. Both on hugepages, both at 80 % of their entries.
//
// rte_hash finds a pointer to a connection in an array of its own; Ballast's table holds the
// connections itself.
#include <array>
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <rte_eal.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>

#include "dataplane/connection/connection_table.h"
#include "dataplane/dpdk/hugepage_memory.h"
#include "tests/bench/flow_keys.h"
#include "tests/bench/flow_order.h"
#include "tests/bench/hugepages.h"

namespace ballast {
namespace {

using bench::FlowMaker;
using bench::FlowOrder;

constexpr size_t kBurst = 32;
constexpr Seconds32 kNow = 1000;
constexpr int64_t kMillion = 1'000'000;
constexpr uint32_t kRteHashMb = 1024;
constexpr FlowHashKey kHashKey{{0x9ae16a3b2f90404f, 0xc949d7c7509e6557, 0xff51afd7ed558ccd,
                                0xc4ceb9fe1a85ec53, 0x87c37b91114253d5, 0x4cf5ad432745937f}};
const FlowMaker flow;

uint32_t entries_for(uint32_t flows) {
  return flows / 4 * 5;
}

// An array of connections that rte_hash points into, and the hash.
class RteTable {
 public:
  explicit RteTable(uint32_t flows)
      : memory_(true),
        connections_(static_cast<Connection*>(
            memory_.allocate(sizeof(Connection) * size_t{entries_for(flows)}))) {
    rte_hash_parameters parameters{};
    parameters.name = "comparison";
    parameters.entries = entries_for(flows);
    parameters.key_len = sizeof(FlowKey);
    parameters.hash_func = rte_hash_crc;
    parameters.socket_id = 0;
    hash_ = rte_hash_create(&parameters);
  }
  ~RteTable() {
    rte_hash_free(hash_);
    memory_.free(connections_);
  }
  RteTable(const RteTable&) = delete;
  RteTable& operator=(const RteTable&) = delete;

  [[nodiscard]] bool ready() const { return hash_ != nullptr; }
  bool add(const FlowKey& key) {
    Connection& connection = connections_[used_];
    if (rte_hash_add_key_data(hash_, &key, &connection) != 0) {
      return false;
    }
    connection.key = key;
    ++used_;
    return true;
  }
  bool fill(uint32_t flows) {
    for (uint32_t number = 0; number < flows; ++number) {
      if (!add(flow(number))) {
        return false;
      }
    }
    return true;
  }
  void clear() {
    rte_hash_reset(hash_);
    used_ = 0;
  }
  [[nodiscard]] const rte_hash* hash() const { return hash_; }

 private:
  HugepageMemory memory_;
  Connection* connections_;
  size_t used_ = 0;
  rte_hash* hash_ = nullptr;
};

// Ballast's table on hugepages.
struct OurTable {
  explicit OurTable(uint32_t flows)
      : memory(true),
        table(
            {static_cast<uint32_t>(uint64_t{entries_for(flows)} * 10 / 11),
             entries_for(flows) / 11},
            kHashKey, [](const Connection&) { return 300U; },
            [](const Connection&, ConnectionEnd) {}, memory) {}

  bool add(const FlowKey& key) {
    Connection* connection = table.insert(key, kNow);
    if (connection == nullptr) {
      return false;
    }
    connection->state = ConnectionState::kEstablished;
    return table.trust(*connection, kNow);
  }
  bool fill(uint32_t flows) {
    for (uint32_t number = 0; number < flows; ++number) {
      if (!add(flow(number))) {
        return false;
      }
    }
    return true;
  }

  HugepageMemory memory;
  ConnectionTable table;
};

void rte_hash_lookup(benchmark::State& state) {
  const auto flows = static_cast<uint32_t>(state.range(0));
  RteTable table(flows);
  if (!table.ready() || !table.fill(flows)) {
    return state.SkipWithError("no room");
  }
  std::array<FlowKey, kBurst> keys;
  keys.fill(flow.blank());
  std::array<const void*, kBurst> pointers{};
  for (size_t i = 0; i < kBurst; ++i) {
    pointers[i] = &keys[i];
  }
  std::array<void*, kBurst> found{};
  FlowOrder order(flows);
  Seconds32 now = kNow;
  for (auto _ : state) {
    for (FlowKey& key : keys) {
      flow.change(key, order.next());
    }
    uint64_t hits = 0;
    rte_hash_lookup_bulk_data(table.hash(), pointers.data(), kBurst, &hits, found.data());
    if (hits != UINT32_MAX) {
      return state.SkipWithError("a flow was not found");
    }
    ++now;
    for (void* connection : found) {
      __builtin_prefetch(connection, 1);
    }
    for (void* connection : found) {
      static_cast<Connection*>(connection)->last_seen = now;
    }
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * kBurst));
}

void our_lookup(benchmark::State& state) {
  const auto flows = static_cast<uint32_t>(state.range(0));
  OurTable ours(flows);
  if (!ours.fill(flows)) {
    return state.SkipWithError("no room");
  }
  std::array<FlowKey, kBurst> keys;
  keys.fill(flow.blank());
  std::array<ConnectionTable::Probe, kBurst> probes;
  FlowOrder order(flows);
  Seconds32 now = kNow;
  for (auto _ : state) {
    for (size_t i = 0; i < kBurst; ++i) {
      flow.change(keys[i], order.next());
      ours.table.prefetch_bucket(keys[i], probes[i]);
    }
    for (ConnectionTable::Probe& probe : probes) {
      ours.table.prefetch_entry(probe);
    }
    ++now;
    for (size_t i = 0; i < kBurst; ++i) {
      Connection* connection = ours.table.find(keys[i], probes[i]);
      if (connection == nullptr) {
        return state.SkipWithError("a flow was not found");
      }
      connection->last_seen = now;
    }
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * kBurst));
}

void rte_hash_add(benchmark::State& state) {
  const auto flows = static_cast<uint32_t>(state.range(0));
  RteTable table(flows);
  if (!table.ready() || !table.fill(flows)) {
    return state.SkipWithError("no room");
  }
  for (auto _ : state) {
    state.PauseTiming();
    table.clear();
    state.ResumeTiming();
    FlowOrder order(flows);
    for (uint32_t i = 0; i < flows; ++i) {
      table.add(flow(order.next()));
    }
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * flows));
}

void our_add(benchmark::State& state) {
  const auto flows = static_cast<uint32_t>(state.range(0));
  OurTable ours(flows);
  if (!ours.fill(flows)) {
    return state.SkipWithError("no room");
  }
  for (auto _ : state) {
    state.PauseTiming();
    for (uint32_t number = 0; number < flows; ++number) {
      ours.table.remove(*ours.table.find(flow(number)));
    }
    state.ResumeTiming();
    FlowOrder order(flows);
    for (uint32_t i = 0; i < flows; ++i) {
      ours.add(flow(order.next()));
    }
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * flows));
}

void register_all() {
  for (const int64_t flows :
       {int64_t{1000}, int64_t{10'000}, int64_t{100'000}, kMillion, 4 * kMillion}) {
    benchmark::RegisterBenchmark("Lookup/ballast", our_lookup)->Arg(flows);
    benchmark::RegisterBenchmark("Lookup/rte_hash", rte_hash_lookup)->Arg(flows);
  }
  for (const int64_t flows : {kMillion, 4 * kMillion}) {
    benchmark::RegisterBenchmark("Add/ballast", our_add)->Arg(flows)->Unit(benchmark::kMillisecond);
    benchmark::RegisterBenchmark("Add/rte_hash", rte_hash_add)
        ->Arg(flows)
        ->Unit(benchmark::kMillisecond);
  }
}

bool start_eal() {
  const std::string megabytes = std::to_string(kRteHashMb);
  std::vector<std::string> arguments{"table_comparison_bench", "--in-memory", "--no-pci",
                                     "--no-telemetry",         "--lcores",    "0@(0-1)",
                                     "--iova-mode=va",         "-m",          megabytes.c_str()};
  std::vector<char*> raw;
  for (std::string& argument : arguments) {
    raw.push_back(argument.data());
  }
  return rte_eal_init(static_cast<int>(raw.size()), raw.data()) >= 0;
}

}  // namespace
}  // namespace ballast

int main(int argc, char** argv) {
  constexpr size_t kConnections = size_t{640} << 20U;
  const ballast::bench::HugepageReservation reservation((size_t{ballast::kRteHashMb} << 20U) +
                                                        kConnections);
  if (!reservation.complete() || !ballast::start_eal()) {
    fmt::print(stderr,
               "table_comparison_bench: no {} hugepages of 2 MiB (got {}), or DPDK did not start: "
               "run as root\n",
               reservation.wanted(), reservation.got());
    return EXIT_FAILURE;
  }
  ballast::register_all();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  rte_eal_cleanup();
}
