// How long the connection table takes per flow: lookups by burst, inserts, inserts under a SYN
// flood.
//
// Flows come in an order that no prefetcher can guess: a bijection of their numbers, computed,
// since a table of numbers would compete for the cache. Its cost and that of building the key are
// in every figure; FlowOrder shows them.
#include <array>
#include <cstdint>
#include <memory>

#include <benchmark/benchmark.h>

#include "dataplane/connection/connection_table.h"
#include "tests/bench/flow_keys.h"
#include "tests/bench/flow_order.h"

namespace ballast {
namespace {

constexpr size_t kBurst = 32;
constexpr Seconds32 kNow = 1000;
constexpr FlowHashKey kHashKey{{0x9ae16a3b2f90404f, 0xc949d7c7509e6557, 0xff51afd7ed558ccd,
                                0xc4ceb9fe1a85ec53, 0x87c37b91114253d5, 0x4cf5ad432745937f}};

using bench::FlowMaker;
using bench::FlowOrder;

const FlowMaker flow;

// The keys and probes of one burst.
struct Burst {
  Burst() { keys.fill(flow.blank()); }

  std::array<FlowKey, kBurst> keys;
  std::array<ConnectionTable::Probe, kBurst> probes;
};

std::unique_ptr<ConnectionTable> make_table(uint32_t trusted, uint32_t untrusted) {
  return std::make_unique<ConnectionTable>(
      ConnectionLimits{trusted, untrusted}, kHashKey,
      [timeouts = Timeouts{}](const Connection& connection) {
        return timeouts.of(connection.state);
      },
      [](const Connection& connection, ConnectionEnd) { benchmark::DoNotOptimize(&connection); });
}

bool establish(ConnectionTable& table, uint32_t number) {
  Connection* connection = table.insert(flow(number), kNow);
  if (connection == nullptr) {
    return false;
  }
  connection->state = ConnectionState::kEstablished;
  return table.trust(*connection, kNow);
}

void flow_order(benchmark::State& state) {
  const auto flows = static_cast<uint32_t>(state.range(0));
  FlowOrder permutation(flows);
  Burst burst;
  for (auto _ : state) {
    for (FlowKey& key : burst.keys) {
      flow.change(key, permutation.next());
    }
    benchmark::DoNotOptimize(burst.keys.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * kBurst));
}

// As the pipeline does: three passes over a burst, and the time written into each entry. The table
// is sized so that its trusted quota is full.
void burst_lookup(benchmark::State& state) {
  const auto flows = static_cast<uint32_t>(state.range(0));
  const auto table = make_table(flows, flows / 10);
  for (uint32_t number = 0; number < flows; ++number) {
    if (!establish(*table, number)) {
      return state.SkipWithError("a flow found no place");
    }
  }
  FlowOrder permutation(flows);
  Burst burst;
  uint64_t missed = 0;
  Seconds32 now = kNow;
  for (auto _ : state) {
    for (size_t i = 0; i < kBurst; ++i) {
      flow.change(burst.keys[i], permutation.next());
      table->prefetch_bucket(burst.keys[i], burst.probes[i]);
    }
    for (size_t i = 0; i < kBurst; ++i) {
      table->prefetch_entry(burst.probes[i]);
    }
    ++now;
    for (size_t i = 0; i < kBurst; ++i) {
      if (Connection* connection = table->find(burst.keys[i], burst.probes[i]);
          connection != nullptr) {
        connection->last_seen = now;
      } else {
        ++missed;
      }
    }
  }
  if (missed != 0) {
    return state.SkipWithError("a flow was not found");
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * kBurst));
  state.counters["bytes_per_flow"] = static_cast<double>(table->memory_bytes()) / flows;
}

// Lookups of flows that are not there, as a SYN makes them.
void burst_miss(benchmark::State& state) {
  const auto flows = static_cast<uint32_t>(state.range(0));
  const auto table = make_table(flows, flows / 10);
  for (uint32_t number = 0; number < flows; ++number) {
    if (!establish(*table, number)) {
      return state.SkipWithError("a flow found no place");
    }
  }
  FlowOrder permutation(flows);
  Burst burst;
  for (auto _ : state) {
    for (size_t i = 0; i < kBurst; ++i) {
      flow.change(burst.keys[i], flows + permutation.next());
      table->prefetch_bucket(burst.keys[i], burst.probes[i]);
    }
    for (size_t i = 0; i < kBurst; ++i) {
      table->prefetch_entry(burst.probes[i]);
    }
    for (size_t i = 0; i < kBurst; ++i) {
      benchmark::DoNotOptimize(table->find(burst.keys[i], burst.probes[i]));
    }
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * kBurst));
}

// Filling a table whose memory has been used before, to the given number of flows.
void insert_up_to(benchmark::State& state) {
  const auto flows = static_cast<uint32_t>(state.range(0));
  const auto table = make_table(flows / 4, flows);
  FlowOrder permutation(flows);
  const auto fill = [&] {
    for (uint32_t number = 0; number < flows; ++number) {
      Connection* connection = table->insert(flow(permutation.next()), kNow);
      connection->state = ConnectionState::kSynReceived;
      table->arm(*connection, kNow);
    }
  };
  const auto drain = [&] {
    for (uint32_t number = 0; number < flows; ++number) {
      table->remove(*table->find(flow(number)));
    }
  };
  fill();
  for (auto _ : state) {
    state.PauseTiming();
    drain();
    state.ResumeTiming();
    fill();
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * flows));
}

// A million trusted flows, and an untrusted quota that is used up: every new flow recycles the
// oldest.
void syn_flood(benchmark::State& state) {
  const auto flows = static_cast<uint32_t>(state.range(0));
  const auto table = make_table(flows, flows / 10);
  for (uint32_t number = 0; number < flows; ++number) {
    if (!establish(*table, number)) {
      return state.SkipWithError("a flow found no place");
    }
  }
  uint32_t number = flows;
  uint32_t sent = 0;
  Burst burst;
  for (auto _ : state) {
    for (size_t i = 0; i < kBurst; ++i) {
      flow.change(burst.keys[i], number++);
      table->prefetch_bucket(burst.keys[i], burst.probes[i]);
    }
    for (size_t i = 0; i < kBurst; ++i) {
      table->prefetch_entry(burst.probes[i]);
    }
    const Seconds32 now = kNow + (sent += kBurst) / 1'000'000;  // a million SYNs a second
    for (size_t i = 0; i < kBurst; ++i) {
      if (table->find(burst.keys[i], burst.probes[i]) == nullptr) {
        Connection* connection = table->insert(burst.keys[i], burst.probes[i], now);
        connection->state = ConnectionState::kSynReceived;
        table->arm(*connection, now);
      }
    }
  }
  if (table->trusted() != flows) {
    return state.SkipWithError("the flood pushed out a trusted flow");
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * kBurst));
}

constexpr int64_t kMillion = 1'000'000;

BENCHMARK(flow_order)->Name("FlowOrder")->Arg(1000)->Arg(4 * kMillion);
BENCHMARK(burst_lookup)
    ->Name("BurstLookup")
    ->Arg(1000)
    ->Arg(10'000)
    ->Arg(100'000)
    ->Arg(kMillion)
    ->Arg(4 * kMillion);
BENCHMARK(burst_miss)->Name("BurstMiss")->Arg(1000)->Arg(100'000)->Arg(kMillion)->Arg(4 * kMillion);
BENCHMARK(insert_up_to)
    ->Name("InsertUpTo")
    ->Arg(kMillion)
    ->Arg(4 * kMillion)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(syn_flood)->Name("SynFlood")->Arg(kMillion);

}  // namespace
}  // namespace ballast

BENCHMARK_MAIN();
