// Translations against a slow reference: maps from flows and from return tuples, driven by the same
// random life of NAT, FULLNAT and DR connections in virtual time.
#include <map>
#include <random>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/connection/translated_flows.h"

namespace ballast {
namespace {

using Tuple = std::tuple<IpAddress, Big16, IpAddress, Big16>;

Tuple tuple_of(const ReturnKey& key) {
  return {key.tuple.client, key.tuple.client_port, key.tuple.vip, key.tuple.vip_port};
}

class Comparison {
 public:
  Comparison(const ConnectionLimits& limits, uint32_t flows, uint32_t pause, uint64_t seed)
      : flows_(flows),
        pause_(pause),
        random_(seed),
        table_(
            limits, kTestHashKey, [](const Connection& c) { return 1 + index(c.server) % 40; },
            [this](const Connection& c, ConnectionEnd reason) { on_end(c, reason); }) {}

  void step() {
    now_ += below(pause_) == 0 ? below(10) : 0;
    table_.expire(now_, below(3));
    const uint32_t number = below(flows_);
    Connection* found = table_.find(key_of_flow(number));
    ASSERT_EQ(found != nullptr, live_.contains(number));
    if (found == nullptr) {
      open(number);
    } else if (below(10) == 0) {
      table_.remove(*found);
    } else if (below(2) == 0) {
      found->state = below(3) == 0 ? ConnectionState::kTimeWait : ConnectionState::kEstablished;
      table_.arm(*found, now_);
    } else {
      table_.trust(*found, now_);
    }
    look_for(random_reply());
    ASSERT_EQ(table_.size(), live_.size());
    ASSERT_EQ(table_.translations()->size(), by_tuple_.size());
  }

  void compare_all() {
    for (const auto& [tuple, number] : by_tuple_) {
      const Connection* found = table_.translations()->find(keys_.at(number), world_);
      ASSERT_NE(found, nullptr);
      ASSERT_EQ(found->key, key_of_flow(number));
      ASSERT_EQ(found, table_.find(key_of_flow(number)));
    }
  }

  std::map<ConnectionEnd, uint32_t> ends;
  uint32_t taken = 0;

 private:
  uint32_t below(uint32_t bound) { return static_cast<uint32_t>(random_() % bound); }

  // Few clients and many VIPs, so that return tuples of NAT collide.
  static FlowKey key_of_flow(uint32_t number) {
    FlowKey key = flow(number / 3 * 2);
    key.vip = IpAddress::v4({192, 0, 2, static_cast<uint8_t>(number % 3)});
    key.zero[0] = 0;
    return key;
  }
  ReturnKey random_reply() {
    Connection connection;
    connection.key = key_of_flow(below(flows_));
    connection.server = ServerIndex{below(8)};
    return world_(connection, random_record());
  }
  TranslationRecord random_record() {
    TranslationRecord record;
    if (below(2) == 0) {
      record.local = {LocalAddressIndex{static_cast<uint16_t>(below(3))},
                      Big16::from_host(static_cast<uint16_t>(1024 + below(flows_ / 8 + 1))),
                      LocalPortLane{1}};
    }
    return record;
  }

  void open(uint32_t number) {
    Connection* made = table_.insert(key_of_flow(number), now_);
    ASSERT_NE(made, nullptr);
    made->server = ServerIndex{below(8)};
    made->state = ConnectionState::kSynReceived;
    made->next_sequence = number;
    table_.arm(*made, now_);
    live_[number] = false;
    if (below(5) == 0) {
      return;  // DR
    }
    const TranslationRecord record = random_record();
    const ReturnKey key = world_(*made, record);
    const bool free = !by_tuple_.contains(tuple_of(key));
    const ReturnInsert result = table_.translations()->insert(*made, record, world_);
    ASSERT_EQ(result, free ? ReturnInsert::kInserted : ReturnInsert::kTaken);
    ASSERT_EQ(made->translated, free);
    if (free) {
      by_tuple_[tuple_of(key)] = number;
      keys_[number] = key;
      live_[number] = true;
    } else if (++taken % 2 == 0) {
      table_.remove(*made);  // else it stays, without a translation
    }
  }

  void look_for(const ReturnKey& key) {
    const auto known = by_tuple_.find(tuple_of(key));
    ConnectionProbe probe;
    table_.translations()->prefetch_bucket(key, probe);
    if (below(2) == 0) {
      table_.translations()->prefetch_entry(probe);
      if (probe.candidate == 0) {
        table_.translations()->prefetch_second_entry(probe);
      }
    }
    const Connection* found = table_.translations()->find(key, probe, world_);
    ASSERT_EQ(found != nullptr, known != by_tuple_.end());
    if (found != nullptr) {
      ASSERT_EQ(found->next_sequence, known->second);
    }
  }

  void on_end(const Connection& connection, ConnectionEnd reason) {
    const uint32_t number = connection.next_sequence;
    ASSERT_EQ(connection.translated, live_.at(number));
    if (connection.translated) {
      const ReturnKey key = world_(connection, table_.translations()->of(connection));
      ASSERT_EQ(tuple_of(key), tuple_of(keys_.at(number)));
      ASSERT_EQ(by_tuple_.erase(tuple_of(key)), 1U);
      keys_.erase(number);
    }
    live_.erase(number);
    ++ends[reason];
  }

  const uint32_t flows_;
  const uint32_t pause_;  // steps between two moments, on average
  std::mt19937_64 random_;
  Seconds32 now_ = 100;
  TranslatedWorld world_;
  std::map<uint32_t, bool> live_;  // by flow: whether it is translated
  std::map<Tuple, uint32_t> by_tuple_;
  std::map<uint32_t, ReturnKey> keys_;  // of the translated
  ConnectionTable table_;
};

struct Life {
  const char* name;
  ConnectionLimits limits;
  uint32_t flows;
  uint32_t pause;
  uint32_t steps;

  friend void PrintTo(const Life& life, std::ostream* out) { *out << life.name; }
};

class TranslationTableModel : public testing::TestWithParam<Life> {};

TEST_P(TranslationTableModel, AgreesWithMapsThroughAllEnds) {
  const Life& life = GetParam();
  for (const uint64_t seed : {1U, 2U}) {
    Comparison comparison(life.limits, life.flows, life.pause, seed);
    for (uint32_t step = 0; step < life.steps; ++step) {
      comparison.step();
      ASSERT_FALSE(HasFatalFailure()) << "seed " << seed << ", step " << step;
      if (step % 10'000 == 0) {
        comparison.compare_all();
        ASSERT_FALSE(HasFatalFailure()) << "seed " << seed << ", step " << step;
      }
    }
    for (const ConnectionEnd end : {ConnectionEnd::kExpired, ConnectionEnd::kRecycledUntrusted,
                                    ConnectionEnd::kEvictedClosing, ConnectionEnd::kRemoved}) {
      EXPECT_GT(comparison.ends[end], 0U) << static_cast<int>(end);
    }
    EXPECT_GT(comparison.taken, 100U) << "no collisions: the test is too easy";
  }
}

INSTANTIATE_TEST_SUITE_P(Lives, TranslationTableModel,
                         testing::Values(Life{"tiny", {6, 4, true}, 40, 50, 500'000},
                                         Life{"crowded", {25, 40, true}, 200, 1000, 500'000},
                                         Life{"many", {150, 300, true}, 1200, 8000, 500'000}),
                         [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace ballast
