// How long NAT and FULLNAT take per flow beyond the connection table: replies by burst, packets of
// clients that need their record, local ports at a given fill, and flows that come and go.
//
// As in connection_table_bench.cc, flows come in an order that no prefetcher can guess.
#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include <benchmark/benchmark.h>

#include "dataplane/connection/connection_table.h"
#include "dataplane/connection/local_ports.h"
#include "tests/bench/flow_keys.h"
#include "tests/bench/flow_order.h"

namespace ballast {
namespace {

constexpr size_t kBurst = 32;
constexpr uint32_t kServers = 16;
constexpr uint32_t kPortsUsed = 60'000;  // of each local address towards each server
constexpr Seconds32 kNow = 1000;
constexpr int64_t kMillion = 1'000'000;
constexpr FlowHashKey kHashKey{{0x9ae16a3b2f90404f, 0xc949d7c7509e6557, 0xff51afd7ed558ccd,
                                0xc4ceb9fe1a85ec53, 0x87c37b91114253d5, 0x4cf5ad432745937f}};

using bench::FlowMaker;
using bench::FlowOrder;

const FlowMaker flow;

// The servers and local addresses that a snapshot would hold.
class World {
 public:
  World() {
    for (uint32_t i = 0; i < kServers; ++i) {
      servers_[i].address = IpAddress::v4({10, 1, 0, static_cast<uint8_t>(i)});
      servers_[i].port = Big16::from_host(8080);
      servers_[i].protocol = IpProtocol::kTcp;
    }
    for (uint32_t i = 0; i < locals_.size(); ++i) {
      locals_[i] = IpAddress::v4({10, 2, 0, static_cast<uint8_t>(i)});
    }
  }
  [[nodiscard]] const ServerEndpoint& server(ServerIndex number) const {
    return servers_[index(number) - 1];
  }
  ReturnKey operator()(const Connection& connection, const TranslationRecord& record) const {
    ReturnKey key;
    fill(key, connection.server, record.local);
    return key;
  }
  void fill(ReturnKey& key, ServerIndex number, const LocalEndpoint& local) const {
    key.assign(server(number), locals_[index(local.address)], local.port);
  }

 private:
  std::array<ServerEndpoint, kServers> servers_;
  std::array<IpAddress, 256> locals_;
};

const World world;

ServerIndex server_of(uint32_t number) {
  return ServerIndex{1 + number % kServers};
}
// Of the flow with this number, computed: a table of them would compete for the cache.
TranslationRecord record_of(uint32_t number) {
  const uint32_t turn = number / kServers;
  TranslationRecord record;
  record.local = {LocalAddressIndex{static_cast<uint16_t>(turn / kPortsUsed)},
                  Big16::from_host(static_cast<uint16_t>(1024 + turn % kPortsUsed)),
                  LocalPortLane{1}};
  return record;
}

std::unique_ptr<ConnectionTable> make_table(uint32_t trusted, uint32_t untrusted,
                                            ConnectionTable::OnEnd on_end = nullptr) {
  return std::make_unique<ConnectionTable>(
      ConnectionLimits{trusted, untrusted, true}, kHashKey,
      [timeouts = Timeouts{}](const Connection& connection) {
        return timeouts.of(connection.state);
      },
      std::move(on_end));
}

std::unique_ptr<ConnectionTable> make_full_table(uint32_t flows) {
  auto table = make_table(flows, flows / 10);
  for (uint32_t number = 0; number < flows; ++number) {
    Connection* connection = table->insert(flow(number), kNow);
    if (connection == nullptr) {
      return nullptr;
    }
    connection->server = server_of(number);
    connection->state = ConnectionState::kEstablished;
    if (!table->trust(*connection, kNow) ||
        table->translations()->insert(*connection, record_of(number), world) !=
            ReturnInsert::kInserted) {
      return nullptr;
    }
  }
  return table;
}

// Replies of servers, as the pipeline looks them up.
void burst_return(benchmark::State& state) {
  const auto flows = static_cast<uint32_t>(state.range(0));
  const auto table = make_full_table(flows);
  if (table == nullptr) {
    return state.SkipWithError("a flow found no place");
  }
  TranslationTable& translations = *table->translations();
  FlowOrder permutation(flows);
  std::array<ReturnKey, kBurst> keys;
  std::array<ConnectionProbe, kBurst> probes;
  uint64_t missed = 0;
  Seconds32 now = kNow;
  for (auto _ : state) {
    for (size_t i = 0; i < kBurst; ++i) {
      const uint32_t number = permutation.next();
      world.fill(keys[i], server_of(number), record_of(number).local);
      translations.prefetch_bucket(keys[i], probes[i]);
    }
    for (size_t i = 0; i < kBurst; ++i) {
      translations.prefetch_entry(probes[i]);
    }
    ++now;
    for (size_t i = 0; i < kBurst; ++i) {
      if (Connection* connection = translations.find(keys[i], probes[i], world)) {
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

// Packets of clients: the connection and its record.
void burst_with_record(benchmark::State& state) {
  const auto flows = static_cast<uint32_t>(state.range(0));
  const auto table = make_full_table(flows);
  if (table == nullptr) {
    return state.SkipWithError("a flow found no place");
  }
  TranslationTable& translations = *table->translations();
  FlowOrder permutation(flows);
  std::array<FlowKey, kBurst> keys;
  keys.fill(flow.blank());
  std::array<ConnectionProbe, kBurst> probes;
  uint64_t missed = 0;
  Seconds32 now = kNow;
  for (auto _ : state) {
    for (size_t i = 0; i < kBurst; ++i) {
      flow.change(keys[i], permutation.next());
      table->prefetch_bucket(keys[i], probes[i]);
    }
    for (size_t i = 0; i < kBurst; ++i) {
      table->prefetch_entry(probes[i]);
      translations.prefetch_record(probes[i]);
    }
    ++now;
    for (size_t i = 0; i < kBurst; ++i) {
      Connection* connection = table->find(keys[i], probes[i]);
      if (connection != nullptr && connection->translated) {
        connection->last_seen = now;
        benchmark::DoNotOptimize(translations.of(*connection).local);
      } else {
        ++missed;
      }
    }
  }
  if (missed != 0) {
    return state.SkipWithError("a flow was not found");
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * kBurst));
}

bool own_all(LocalAddressIndex /*address*/, Big16 /*port*/, const ServerEndpoint& /*server*/) {
  return true;
}

std::vector<LocalAddressIndex> addresses(uint16_t count) {
  std::vector<LocalAddressIndex> result;
  for (uint16_t i = 0; i < count; ++i) {
    result.push_back(LocalAddressIndex{i});
  }
  return result;
}

// Ports of four addresses and sixteen servers, 4.1 million tuples, with `percent` of them taken:
// one given back and one taken at a time.
void ports_at(benchmark::State& state) {
  const auto percent = static_cast<uint64_t>(state.range(0));
  LocalPorts ports({.short_rest = 0, .tuples = 8'000'000}, kHashKey, 1, own_all);
  const std::vector<LocalAddressIndex> four = addresses(4);
  const uint64_t tuples = uint64_t{64'512} * four.size() * kServers;
  std::deque<LocalEndpoint> taken;
  uint32_t number = 0;
  const auto take = [&](Seconds32 now) {
    if (const auto local = ports.take(four, world.server(server_of(number++)), now)) {
      taken.push_back(*local);
    }
  };
  while (number < tuples * percent / 100) {
    take(kNow);
  }
  uint64_t turns = 0;
  for (auto _ : state) {
    const Seconds32 now = kNow + static_cast<Seconds32>(turns++ / 100'000);
    ports.give_back(taken.front(), PortRest::kShort, now);
    taken.pop_front();
    take(now);
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()));
  state.counters["lanes_a_port"] =
      static_cast<double>(ports.counts().lanes_asked) / static_cast<double>(ports.counts().taken);
}

// FULLNAT under a SYN flood: established flows, and an untrusted quota that is used up, so that
// every new flow takes a port, recycles the oldest, and gives its port back.
void full_nat_flood(benchmark::State& state) {
  const auto quota = static_cast<uint32_t>(state.range(0));
  LocalPorts ports({.tuples = 16'000'000}, kHashKey, 1, own_all);
  Seconds32 now = kNow;
  std::unique_ptr<ConnectionTable> table;
  table = make_table(1, quota, [&](const Connection& connection, ConnectionEnd) {
    const TranslationRecord& record = table->translations()->of(connection);
    ports.give_back(record.local, rest_of(connection, record, now, 60), now);
  });
  const std::vector<LocalAddressIndex> eight = addresses(8);
  uint32_t number = 0;
  std::array<FlowKey, kBurst> keys;
  keys.fill(flow.blank());
  std::array<ConnectionProbe, kBurst> probes;
  uint64_t refused = 0;
  Connection asked;
  for (auto _ : state) {
    now = kNow + number / 1'000'000;  // a million SYNs a second
    const uint32_t begin = number;
    for (size_t i = 0; i < kBurst; ++i) {
      flow.change(keys[i], number++);
      table->prefetch_bucket(keys[i], probes[i]);
    }
    for (size_t i = 0; i < kBurst; ++i) {
      table->prefetch_entry(probes[i]);
    }
    for (size_t i = 0; i < kBurst; ++i) {
      const ServerIndex server = server_of(begin + static_cast<uint32_t>(i));
      const auto local = ports.take(eight, world.server(server), now);
      if (!local.has_value() || table->find(keys[i], probes[i]) != nullptr) {
        ++refused;
        continue;
      }
      // The bucket for replies comes from memory while the table is at work.
      TranslationRecord record;
      record.local = *local;
      asked.server = server;
      ConnectionProbe reply;
      table->translations()->prefetch_bucket(world(asked, record), reply);
      Connection* connection = table->insert(keys[i], probes[i], now);
      connection->server = server;
      connection->state = ConnectionState::kSynReceived;
      table->arm(*connection, now);
      refused +=
          table->translations()->insert(*connection, record, world) == ReturnInsert::kInserted ? 0
                                                                                               : 1;
    }
  }
  if (refused != 0) {
    return state.SkipWithError("a flow was refused");
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * kBurst));
}

BENCHMARK(burst_return)
    ->Name("BurstReturn")
    ->Arg(1000)
    ->Arg(100'000)
    ->Arg(kMillion)
    ->Arg(4 * kMillion);
BENCHMARK(burst_with_record)
    ->Name("BurstWithRecord")
    ->Arg(1000)
    ->Arg(100'000)
    ->Arg(kMillion)
    ->Arg(4 * kMillion);
BENCHMARK(ports_at)->Name("PortsAtPercent")->Arg(1)->Arg(40)->Arg(80);
BENCHMARK(full_nat_flood)->Name("FullNatFlood")->Arg(100'000)->Arg(kMillion);

}  // namespace
}  // namespace ballast

BENCHMARK_MAIN();
