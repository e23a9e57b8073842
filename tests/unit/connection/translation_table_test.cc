#include "dataplane/connection/translation_table.h"

#include <array>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/connection/translated_flows.h"

namespace ballast {
namespace {

constexpr uint32_t kAll = UINT32_MAX;

class TranslatedTable {
 public:
  explicit TranslatedTable(uint32_t trusted, uint32_t untrusted)
      : table_(
            {.trusted = trusted, .untrusted = untrusted, .translations = true}, kTestHashKey,
            [](const Connection&) { return 100U; },
            [this](const Connection& connection, ConnectionEnd) {
              if (connection.translated) {
                locals_at_end.push_back(table_.translations()->of(connection).local.port);
              }
            }) {}

  ConnectionTable* operator->() { return &table_; }
  TranslationTable& translations() { return *table_.translations(); }

  Connection* open(const FlowKey& key, uint32_t server, Seconds32 now) {
    Connection* connection = table_.insert(key, now);
    connection->server = ServerIndex{server};
    connection->state = ConnectionState::kEstablished;
    table_.arm(*connection, now);
    return connection;
  }
  // FULLNAT, by a local port.
  Connection* open(uint32_t number, uint32_t server, uint16_t local_port, Seconds32 now) {
    Connection* connection = open(flow(number), server, now);
    EXPECT_EQ(translations().insert(*connection, with_local(local_port), world),
              ReturnInsert::kInserted);
    return connection;
  }
  static TranslationRecord with_local(uint16_t port) {
    TranslationRecord record;
    record.local = {LocalAddressIndex{3}, Big16::from_host(port), LocalPortLane{1}};
    return record;
  }
  ReturnKey reply_to(uint16_t local_port, uint32_t server) const {
    return ReturnKey::of(world.endpoint_of(ServerIndex{server}, IpProtocol::kTcp),
                         TranslatedWorld::local_address(LocalAddressIndex{3}),
                         Big16::from_host(local_port));
  }

  TranslatedWorld world;
  std::vector<Big16> locals_at_end;

 private:
  ConnectionTable table_;
};

TEST(ReturnKey, HasTheShapeOfAFlowFromThePeerToTheServer) {
  ServerEndpoint server;
  server.address = IpAddress::v4({10, 1, 0, 1});
  server.port = Big16::from_host(8080);
  server.protocol = IpProtocol::kUdp;
  FlowKey expected;
  expected.client = IpAddress::v4({198, 51, 100, 7});
  expected.client_port = Big16::from_host(40'000);
  expected.vip = server.address;
  expected.vip_port = server.port;
  expected.protocol = server.protocol;
  ReturnKey key = ReturnKey::of(server, expected.client, expected.client_port);
  EXPECT_EQ(key.tuple, expected);
  EXPECT_EQ(flow_hash(key.tuple, kTestHashKey), flow_hash(expected, kTestHashKey));
  for (size_t byte = 0; byte < sizeof(ReturnKey); ++byte) {
    ReturnKey other = key;
    reinterpret_cast<uint8_t*>(&other)[byte] ^= 1;
    EXPECT_FALSE(other == key) << byte;
  }
}

TEST(TranslationTable, IsThereWhenItIsAskedForOnly) {
  const auto timeout = [](const Connection&) { return 100U; };
  ConnectionTable without({100, 10}, kTestHashKey, timeout, nullptr);
  EXPECT_EQ(without.translations(), nullptr);
  ConnectionTable with({100, 10, true}, kTestHashKey, timeout, nullptr);
  ASSERT_NE(with.translations(), nullptr);
  EXPECT_EQ(with.memory_bytes() - without.memory_bytes(),
            111 * sizeof(TranslationRecord) + BucketIndex::buckets_for(110) * sizeof(Bucket));
}

TEST(TranslationTable, ARecordStandsBesideItsEntryUntilThatEnds) {
  TranslatedTable table(10, 10);
  Connection* connection = table.open(1, 1, 5000, 1);
  table.translations().of(*connection).server_next_sequence = 77;
  EXPECT_EQ(table.translations().of(*table->find(flow(1))).local.port, Big16::from_host(5000));
  EXPECT_EQ(table.translations().of(*table->find(flow(1))).server_next_sequence, 77U);
  EXPECT_EQ(table.translations().find(table.reply_to(5000, 1), table.world), connection);
  EXPECT_EQ(table.translations().find(table.reply_to(5001, 1), table.world), nullptr);
  EXPECT_EQ(table.translations().find(table.reply_to(5000, 2), table.world), nullptr);
  table->remove(*connection);
  EXPECT_EQ(table.translations().find(table.reply_to(5000, 1), table.world), nullptr);
  EXPECT_EQ(table.translations().size(), 0U);
  EXPECT_EQ(table.locals_at_end, std::vector{Big16::from_host(5000)});
}

TEST(TranslationTable, NatRefusesASecondFlowOfAClientPortToOneServerAndChangesNothing) {
  TranslatedTable table(10, 10);
  FlowKey to_one_vip = flow(2);
  FlowKey to_another = to_one_vip;
  to_another.vip = IpAddress::v4({192, 0, 2, 99});
  Connection* first = table.open(to_one_vip, 1, 1);
  ASSERT_EQ(table.translations().insert(*first, TranslationRecord{}, table.world),
            ReturnInsert::kInserted);
  // Another index, the same endpoint.
  Connection* second = table.open(to_another, 1 + table.world.endpoints, 1);
  EXPECT_EQ(table.translations().insert(*second, TranslationRecord{}, table.world),
            ReturnInsert::kTaken);
  EXPECT_FALSE(second->translated);
  EXPECT_EQ(table.translations().size(), 1U);
  const ReturnKey reply = table.world(*first, TranslationRecord{});
  EXPECT_EQ(table.translations().find(reply, table.world), first);
  // With another server it goes through; and both end alike.
  second->server = ServerIndex{2};
  EXPECT_EQ(table.translations().insert(*second, TranslationRecord{}, table.world),
            ReturnInsert::kInserted);
  table->remove(*second);
  EXPECT_EQ(table.translations().find(reply, table.world), first);
  table->remove(*first);
  EXPECT_EQ(table.translations().size(), 0U);
}

TEST(TranslationTable, OneClientPortReachesOneServerByTcpAndByUdp) {
  TranslatedTable table(10, 10);
  FlowKey udp = flow(2);
  udp.protocol = IpProtocol::kUdp;
  EXPECT_EQ(
      table.translations().insert(*table.open(flow(2), 1, 1), TranslationRecord{}, table.world),
      ReturnInsert::kInserted);
  EXPECT_EQ(table.translations().insert(*table.open(udp, 1, 1), TranslationRecord{}, table.world),
            ReturnInsert::kInserted);
}

TEST(TranslationTable, ForgetsAnEntryInWhateverWayItEnds) {
  TranslatedTable table(2, 2);
  const auto holds = [&](uint16_t port) {
    return table.translations().find(table.reply_to(port, 1), table.world) != nullptr;
  };
  table.open(1, 1, 5001, 1);
  table.open(2, 1, 5002, 1);
  table.open(3, 1, 5003, 2);  // recycles
  EXPECT_FALSE(holds(5001));
  EXPECT_TRUE(holds(5002));
  EXPECT_TRUE(table->trust(*table->find(flow(2)), 2));
  EXPECT_TRUE(table->trust(*table->find(flow(3)), 2));
  table->find(flow(3))->state = ConnectionState::kTimeWait;
  table->arm(*table->find(flow(3)), 2);
  table.open(4, 1, 5004, 2);
  EXPECT_TRUE(table->trust(*table->find(flow(4)), 2));  // evicts
  EXPECT_FALSE(holds(5003));
  table->remove(*table->find(flow(4)));
  EXPECT_FALSE(holds(5004));
  EXPECT_TRUE(holds(5002));
  table->expire(1000, kAll);
  EXPECT_FALSE(holds(5002));
  EXPECT_EQ(table->size(), 0U);
  EXPECT_EQ(table.translations().size(), 0U);
  EXPECT_EQ(table.locals_at_end.size(), 4U);
}

TEST(TranslationTable, AnEntryThatEndsBetweenThePassesIsNotFound) {
  TranslatedTable table(0, 1);
  table.open(1, 1, 5001, 1);
  ConnectionProbe probe;
  table.translations().prefetch_bucket(table.reply_to(5001, 1), probe);
  table.translations().prefetch_entry(probe);
  table->remove(*table->find(flow(1)));
  EXPECT_EQ(table.translations().find(table.reply_to(5001, 1), probe, table.world), nullptr);
}

TEST(TranslationTable, AnEntryThatIsUsedAgainWithoutATranslationIsNotFoundByOldReplies) {
  TranslatedTable table(0, 1);
  table.open(1, 1, 5001, 1);
  ConnectionProbe probe;
  table.translations().prefetch_bucket(table.reply_to(5001, 1), probe);
  table.translations().prefetch_entry(probe);
  ASSERT_NE(probe.candidate, 0U);
  table.open(flow(2), 1, 2);  // DR: takes the entry over, between the passes
  EXPECT_EQ(table.translations().find(table.reply_to(5001, 1), probe, table.world), nullptr);
  table->remove(*table->find(flow(2)));
  EXPECT_EQ(table.translations().size(), 0U);
}

TEST(TranslationTable, BurstsFindWhatSingleLookupsFindAtFourFifthsAndAtFullQuota) {
  constexpr uint32_t kFlows = 50'000;
  TranslatedTable table(kFlows / 2, kFlows / 2);
  for (uint32_t i = 0; i < kFlows; ++i) {
    const auto port = static_cast<uint16_t>(1024 + i / 4 % 60'000);
    Connection* connection = table.open(i, i % 4, port, 1);
    if (i < kFlows / 2) {
      ASSERT_TRUE(table->trust(*connection, 1));
    }
  }
  EXPECT_EQ(table.translations().size(), kFlows);
  uint32_t second = 0;
  for (uint32_t begin = 0; begin + 64 <= kFlows + 640; begin += 64) {  // ten bursts that miss
    std::array<ReturnKey, 64> keys;
    std::array<ConnectionProbe, 64> probes;
    for (uint32_t i = 0; i < 64; ++i) {
      const uint32_t number = begin + i;
      keys[i] = table.reply_to(static_cast<uint16_t>(1024 + number / 4 % 60'000), number % 4);
      table.translations().prefetch_bucket(keys[i], probes[i]);
    }
    for (ConnectionProbe& probe : probes) {
      table.translations().prefetch_entry(probe);
    }
    for (ConnectionProbe& probe : probes) {
      if (probe.candidate == 0) {
        table.translations().prefetch_second_entry(probe);
        second += probe.candidate != 0 ? 1 : 0;
      }
    }
    for (uint32_t i = 0; i < 64; ++i) {
      const Connection* found = table.translations().find(keys[i], probes[i], table.world);
      ASSERT_EQ(found, table.translations().find(keys[i], table.world));
      ASSERT_EQ(found, begin + i < kFlows ? table->find(flow(begin + i)) : nullptr);
    }
  }
  EXPECT_GT(second, 0U) << "no entry lives in its alternative bucket: the test is too easy";
}

}  // namespace
}  // namespace ballast
