// Connection table, translations and local ports together, as FULLNAT uses them.
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/connection/local_ports.h"
#include "dataplane/packet/tcp_flags.h"
#include "tests/unit/connection/translated_flows.h"

namespace ballast {
namespace {

class FullNat {
 public:
  FullNat(const ConnectionLimits& limits, const LocalPortSettings& settings, uint32_t servers,
          uint16_t address_count)
      : table_(
            limits, kTestHashKey, [](const Connection&) { return 120U; },
            [this](const Connection& c, ConnectionEnd) { on_end(c); }),
        ports_(settings, kTestHashKey, 1,
               [](LocalAddressIndex, Big16, const ServerEndpoint&) { return true; }) {
    world_.endpoints = servers;
    for (uint16_t i = 0; i < address_count; ++i) {
      addresses_.push_back(LocalAddressIndex{i});
    }
  }

  ConnectionTable& table() { return table_; }
  LocalPorts& ports() { return ports_; }
  void set_time(Seconds32 now) { now_ = now; }

  // False when there was no port.
  bool open(const FlowKey& key, ServerIndex server, bool trusted) {
    const auto local = ports_.take(addresses_, world_.endpoint_of(server, key.protocol), now_);
    if (!local.has_value()) {
      return false;
    }
    Connection* connection = table_.insert(key, now_);
    EXPECT_NE(connection, nullptr);
    connection->server = server;
    connection->state = ConnectionState::kEstablished;
    table_.arm(*connection, now_);
    TranslationRecord record;
    record.local = *local;
    EXPECT_EQ(table_.translations()->insert(*connection, record, world_), ReturnInsert::kInserted);
    return !trusted || table_.trust(*connection, now_);
  }
  const Connection* by_reply(const Connection& connection) {
    const ReturnKey reply = world_(connection, table_.translations()->of(connection));
    return table_.translations()->find(reply, world_);
  }

 private:
  void on_end(const Connection& connection) {
    const TranslationRecord& record = table_.translations()->of(connection);
    ports_.give_back(record.local, rest_of(connection, record, now_, 60), now_);
  }

  Seconds32 now_ = 100;
  TranslatedWorld world_;
  std::vector<LocalAddressIndex> addresses_;
  ConnectionTable table_;
  LocalPorts ports_;
};

FlowKey client(uint32_t number) {
  FlowKey key = flow(2);
  key.client =
      IpAddress::v4({static_cast<uint8_t>(11 + (number >> 30)), static_cast<uint8_t>(number >> 22),
                     static_cast<uint8_t>(number >> 14), static_cast<uint8_t>(number >> 6)});
  key.client_port = Big16::from_host(static_cast<uint16_t>(30'000 + number % 64));
  return key;
}

TEST(FullNatLife, EveryConnectionHoldsOnePortAndIsFoundBothWaysThroughAllEnds) {
  FullNat full_nat({500, 300, true}, {.first_port = 2000, .last_port = 2299, .tuples = 20'000}, 2,
                   4);
  std::mt19937_64 random(3);
  Seconds32 now = 100;
  uint32_t refused = 0;
  for (uint32_t step = 0; step < 1'000'000; ++step) {
    now += random() % 200 == 0 ? 1 : 0;
    full_nat.set_time(now);
    full_nat.table().expire(now, 4);
    full_nat.ports().tidy(now, 2);
    const FlowKey key = client(static_cast<uint32_t>(random() % 4000));
    Connection* found = full_nat.table().find(key);
    if (found == nullptr) {
      refused +=
          full_nat.open(key, ServerIndex{static_cast<uint32_t>(random() % 4)}, false) ? 0 : 1;
    } else if (random() % 2 == 0) {
      TranslationRecord& record = full_nat.table().translations()->of(*found);
      note_server_segment(record, kSyn | kAck, step);
      note_client_acknowledgement(record, step + 1);
      full_nat.table().trust(*found, now);
    } else if (random() % 2 == 0) {
      found->state = ConnectionState::kTimeWait;
      full_nat.table().arm(*found, now);
    } else {
      ASSERT_EQ(full_nat.by_reply(*found), found);
      full_nat.table().remove(*found);
    }
    ASSERT_EQ(full_nat.ports().taken(), full_nat.table().size());
    ASSERT_EQ(full_nat.table().translations()->size(), full_nat.table().size());
  }
  EXPECT_GT(refused, 0U) << "ports were never short: the test is too easy";
}

TEST(FullNatLife, TwoMillionConnectionsToFewServersAreFoundBothWaysInDocumentedMemory) {
  constexpr uint32_t kConnections = 2'000'000;
  // 2 million of 2 x 20 x 64512 tuples.
  FullNat full_nat({kConnections, 1000, true}, {.tuples = kConnections, .lanes = 64}, 2, 20);
  for (uint32_t i = 0; i < kConnections; ++i) {
    ASSERT_TRUE(full_nat.open(client(i), ServerIndex{i % 2}, true)) << i;
  }
  EXPECT_EQ(full_nat.table().trusted(), kConnections);
  for (uint32_t i = 0; i < kConnections; ++i) {
    const Connection* found = full_nat.table().find(client(i));
    ASSERT_NE(found, nullptr);
    ASSERT_EQ(found->server, ServerIndex{i % 2});
    ASSERT_EQ(full_nat.by_reply(*found), found);
  }
  const double bytes =
      static_cast<double>(full_nat.table().memory_bytes() + full_nat.ports().memory_bytes()) /
      kConnections;
  RecordProperty("bytes_per_connection", std::to_string(bytes));
  EXPECT_LT(bytes, 64 + 32 + 2 * 17 + 12 + 5);
}

}  // namespace
}  // namespace ballast
