// A server's health flips: from the transaction to the published snapshot, by the number of
// services, sixteen servers each. No worker is registered, so that nothing is waited for.
#include <chrono>
#include <set>
#include <string>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "dataplane/dpdk/snapshot_slot.h"
#include "dataplane/world/world.h"

namespace ballast {
namespace {

constexpr int kServers = 16;

std::string server_address(int number) {
  return fmt::format("192.168.0.{}", number + 1);
}

// Service `number`, whose first server is up or down.
api::Service service(int number, bool first_is_up) {
  api::Service result;
  result.set_name(fmt::format("service-{}", number));
  result.set_mode(api::DR);
  result.set_scheduler("wrr");
  api::Listener& listener = *result.add_listeners();
  listener.set_protocol(api::TCP);
  listener.set_address("192.0.2.10");
  listener.set_port(static_cast<uint32_t>(1000 + number));
  for (int i = 0; i < kServers; ++i) {
    api::Server& server = *result.add_servers();
    server.set_address(server_address(i));
    server.set_configured_weight(10);
    server.set_weight(i == 0 && !first_is_up ? 0 : 10);
  }
  return result;
}

api::Transaction everything(int services) {
  api::Transaction transaction;
  transaction.set_generation(1);
  transaction.set_full(true);
  transaction.add_upsert()->mutable_vip()->set_address("192.0.2.10");
  api::Route& route = *transaction.add_upsert()->mutable_route();
  route.set_prefix("192.168.0.0/16");
  route.add_hops()->set_port("lan");
  for (int i = 0; i < kServers; ++i) {
    api::Neighbor& neighbor = *transaction.add_upsert()->mutable_neighbor();
    neighbor.set_port("lan");
    neighbor.set_address(server_address(i));
    neighbor.set_mac(fmt::format("02:00:00:00:01:{:02x}", i));
    neighbor.set_state(api::Neighbor::REACHABLE);
  }
  for (int i = 0; i < services; ++i) {
    *transaction.add_upsert()->mutable_service() = service(i, true);
  }
  return transaction;
}

void health_flip(benchmark::State& state) {
  const auto services = static_cast<int>(state.range(0));
  NeighborTable neighbors(1024);
  World world({{"wan", MacAddress({2, 0, 0, 0, 0, 0xa0}), 1500, true},
               {"lan", MacAddress({2, 0, 0, 0, 0, 0xa1}), 1500, true}},
              neighbors, {ForwardingMode::kDirectRouting});
  if (world.apply(everything(services)).snapshot == nullptr) {
    return state.SkipWithError("the world refused its configuration");
  }
  SnapshotSlot slot(1, world.snapshot());
  uint64_t generation = 1;
  bool up = true;
  for (auto _ : state) {
    up = !up;
    api::Transaction transaction;
    transaction.set_generation(++generation);
    *transaction.add_upsert()->mutable_service() = service(services / 2, up);
    const World::Outcome outcome = world.apply(transaction);
    if (outcome.snapshot == nullptr) {
      return state.SkipWithError("the world refused the change");
    }
    const auto now = std::chrono::steady_clock::now();
    slot.publish(outcome.snapshot, now, {});
    slot.poll(now);
  }
}
BENCHMARK(health_flip)
    ->Name("HealthFlip")
    ->Arg(1)
    ->Arg(100)
    ->Arg(1000)
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace ballast

BENCHMARK_MAIN();
