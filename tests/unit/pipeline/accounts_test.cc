// Counters against a slow recount: random traffic, over virtual time.
#include <random>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/unit/pipeline/test_network.h"

namespace ballast::testing {
namespace {

struct Counts {
  uint64_t active = 0;
  uint64_t inactive = 0;
  uint64_t connections = 0;
  uint64_t packets = 0;
  uint64_t bytes = 0;

  friend bool operator==(const Counts&, const Counts&) = default;
  friend void PrintTo(const Counts& counts, std::ostream* out) {
    *out << fmt::format("active {} inactive {} connections {} packets {} bytes {}", counts.active,
                        counts.inactive, counts.connections, counts.packets, counts.bytes);
  }
};

class Accounts : public ::testing::TestWithParam<unsigned> {
 protected:
  static TestNetwork::Options options() {
    TestNetwork::Options options;
    options.workers = 2;
    options.connections = {.trusted = 60, .untrusted = 30};  // small: all ways out of it are taken
    return options;
  }
  TestNetwork network{options()};
  std::mt19937 random{GetParam()};
  std::map<uint32_t, Counts> expected;  // what leaves to each server, by index

  uint32_t below(uint32_t bound) {
    return std::uniform_int_distribution<uint32_t>(0, bound - 1)(random);
  }

  struct Sent {
    Frame frame;
    FlowKey flow;
  };
  Sent random_packet() {
    const Family4or6& family = both_families()[below(2)];
    const auto client_port = static_cast<uint16_t>(1 + below(150));
    auto builder = packet().ip(family.client, family.vip);
    const bool udp = below(4) == 0;
    const uint16_t port = udp ? 53 : (below(2) == 0 ? 80 : 8080);
    if (udp) {
      builder.udp(client_port, port);
    } else {
      static constexpr uint8_t kFlags[] = {kSyn, kSyn, kAck, kAck, kAck, kFin | kAck, kRst};
      const uint8_t flags = kFlags[below(std::size(kFlags))];
      builder.tcp(client_port, port, flags).sequence((flags & kSyn) != 0 ? 1000 : 1001);
    }
    builder.payload(Bytes(below(400), 'x'));
    return {builder.build(),
            {ip_address(family.client), ip_address(family.vip), Big16::from_host(client_port),
             Big16::from_host(port), udp ? IpProtocol::kUdp : IpProtocol::kTcp}};
  }

  void send_one() {
    Sent sent = random_packet();
    const uint16_t owner = index(network.steering().owner(sent.flow));
    const TestNetwork::How how{.worker = static_cast<uint16_t>(below(2)), .rss = below(2) == 0};
    const Outcome outcome = network.send_to_owner(sent.frame, how);
    if (outcome.server() == 0) {
      return;
    }
    const Connection* connection = network.connection(sent.flow, owner);
    ASSERT_NE(connection, nullptr);
    Counts& counts = expected[index(connection->server)];
    ++counts.packets;
    counts.bytes += sent.frame.network_bytes().size();
  }

  // All servers' counters, summed over the workers, except for what cannot be recounted.
  void check() {
    std::map<uint32_t, Counts> recounted = expected;
    for (uint16_t worker = 0; worker < 2; ++worker) {
      network.connections(worker).visit(0, 100'000, [&](const Connection& each) {
        Counts& counts = recounted[index(each.server)];
        ++(is_active(each.state) ? counts.active : counts.inactive);
      });
    }
    uint64_t all_connections = 0;
    for (uint32_t i = 1; i < network.snapshot.servers.size(); ++i) {
      Counts counted;
      for (uint16_t worker = 0; worker < 2; ++worker) {
        const ServerCounters& counters = network.server_counters(ServerIndex{i}, worker);
        counted.active += counters.active.read();
        counted.inactive += counters.inactive.read();
        counted.packets += counters.packets_in.read();
        counted.bytes += counters.bytes_in.read();
        all_connections += counters.connections.read();
      }
      EXPECT_EQ(counted, recounted[i]) << "server " << i;
    }
    // What was opened is there, or has left by one of the ways that are counted.
    uint64_t gone = 0;
    uint64_t present = 0;
    for (uint16_t worker = 0; worker < 2; ++worker) {
      const WorkerCounters& counters = network.counters(worker);
      gone += counters.expired.read() + counters.recycled.read() + counters.evicted.read();
      present += network.connections(worker).size();
      EXPECT_LE(counters.trusted.read(), 60U);
      EXPECT_LE(counters.untrusted.read(), 30U);
    }
    EXPECT_GE(all_connections, gone + present);  // the rest was opened anew out of a closing state
    EXPECT_EQ(network.wrong_accounts(), "");
  }
};

TEST_P(Accounts, AgreeWithASlowRecount) {
  for (int round = 0; round < 60 && !HasFailure(); ++round) {
    for (int i = 0; i < 200; ++i) {
      send_one();
    }
    network.pass(below(3) == 0 ? below(130) * kSecond : below(1000) * kMillisecond);
    check();
  }
  network.pass(1000 * kSecond);
  EXPECT_EQ(network.connections(0).size() + network.connections(1).size(), 0U);
  check();
}

INSTANTIATE_TEST_SUITE_P(Seeds, Accounts, ::testing::Range(1U, 5U));

TEST(Counting, IsOfPacketsForAServerAsInLvsWhateverItsNextHopDoes) {
  TestNetwork network;
  network.use_servers("web", {1});
  network.set_neighbor(1, NeighborState::kFailed);
  network.send(packet().ip("198.51.100.7", "192.0.2.10").tcp(1, 80, kSyn));
  const ServerCounters& counters = network.server_counters(network.servers_of("web", 1)[0]);
  EXPECT_EQ(counters.packets_in.read(), 1U);
  EXPECT_EQ(counters.bytes_in.read(), 40U);
  EXPECT_EQ(counters.connections.read(), 1U);
}

TEST(ServerCounterTable, HasALineOfItsOwnForEveryIndex) {
  ServerCounterTable table(100);
  for (uint32_t i = 0; i <= 100; ++i) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(&table[ServerIndex{i}]) % 64, 0U);
    table[ServerIndex{i}].packets_in.set(i);
  }
  for (uint32_t i = 0; i <= 100; ++i) {
    EXPECT_EQ(table[ServerIndex{i}].packets_in.read(), i);
  }
}

}  // namespace
}  // namespace ballast::testing
