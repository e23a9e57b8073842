// The table against a slow reference that scans all flows: both are driven by the same random life,
// in virtual time.
#include <algorithm>
#include <map>
#include <random>
#include <unordered_map>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/connection/connection_table.h"
#include "tests/unit/connection/flows.h"

namespace ballast {
namespace {

struct Remembered {
  ConnectionState state = ConnectionState::kSynReceived;
  Seconds32 last_seen = 0;
  bool trusted = false;
};

class Comparison {
 public:
  Comparison(const ConnectionLimits& limits, uint32_t flows, uint32_t longest_timeout,
             uint64_t seed)
      : limits_(limits),
        flows_(flows),
        random_(seed),
        table_(
            limits, kTestHashKey, [this](const Connection& c) { return timeouts_.of(c.state); },
            [this](const Connection& c, ConnectionEnd reason) {
              ended_.emplace_back(index(c.server), reason);
            }) {
    for (uint32_t& seconds : timeouts_.seconds) {
      seconds = 1 + below(longest_timeout);
    }
  }

  void step() {
    now_ += below(200) == 0 ? below(20) : below(8) == 0 ? 1 : 0;
    if (below(20'000) == 0) {
      now_ += below(10'000);  // nothing ran for hours
    }
    const uint32_t number = below(flows_);
    const auto known = model_.find(number);
    Connection* found = table_.find(flow(number));
    ASSERT_EQ(found != nullptr, known != model_.end());
    if (found == nullptr) {
      insert(number);
    } else {
      ASSERT_EQ(found->state, known->second.state);
      ASSERT_EQ(found->trusted, known->second.trusted);
      use(number, *found, known->second);
    }
    expire();
    ASSERT_EQ(table_.size(), model_.size());
    ASSERT_EQ(table_.trusted(), count(true));
  }

  void compare_all() {
    std::map<uint32_t, uint32_t> seen;
    for (ConnectionIndex cursor = 0;;) {
      cursor = table_.visit(cursor, 7, [&seen](const Connection& c) { ++seen[index(c.server)]; });
      if (cursor == 0) {
        break;
      }
    }
    ASSERT_EQ(seen.size(), model_.size());
    for (const auto& [number, remembered] : model_) {
      const Connection* found = table_.find(flow(number));
      ASSERT_NE(found, nullptr);
      ASSERT_EQ(seen[number], 1U);
      ASSERT_EQ(found->key, flow(number));
      ASSERT_EQ(found->last_seen, remembered.last_seen);
      const uint64_t end = end_of(remembered);
      ASSERT_EQ(table_.expires_in(*found, now_), end > now_ ? end - now_ : 0);
    }
  }

  std::map<ConnectionEnd, uint64_t> ends;

 private:
  uint32_t below(uint32_t bound) { return static_cast<uint32_t>(random_() % bound); }
  ConnectionState any_state() { return ConnectionState(below(kConnectionStates)); }
  [[nodiscard]] uint64_t end_of(const Remembered& r) const {
    return uint64_t{r.last_seen} + timeouts_.of(r.state);
  }
  // By what the table chooses who goes first: ends beyond the wheel's horizon count as that far.
  [[nodiscard]] uint64_t rank_of(const Remembered& r) const {
    return uint64_t{r.last_seen} + std::min(timeouts_.of(r.state), TimerWheel::kHorizon);
  }
  [[nodiscard]] uint32_t count(bool trusted) const {
    return static_cast<uint32_t>(std::count_if(model_.begin(), model_.end(), [=](const auto& each) {
      return each.second.trusted == trusted;
    }));
  }

  // The table has ended one flow for room: one of those allowed, and no other of them ranks before
  // it.
  template <typename Allowed>
  void expect_first_gone(ConnectionEnd reason, Allowed&& allowed) {
    ASSERT_EQ(ended_.size(), 1U);
    const auto [number, told] = ended_.front();
    ASSERT_EQ(told, reason);
    const auto victim = model_.find(number);
    ASSERT_NE(victim, model_.end());
    ASSERT_TRUE(allowed(victim->second));
    for (const auto& [other, remembered] : model_) {
      // An entry that the horizon made come round again ranks by its end; ties and those are told
      // apart by end_of.
      if (allowed(remembered) && rank_of(remembered) < rank_of(victim->second)) {
        ASSERT_GT(end_of(remembered), rank_of(remembered)) << other << " went before " << number;
      }
    }
    model_.erase(victim);
    ++ends[reason];
    ended_.clear();
  }

  void insert(uint32_t number) {
    const bool full = count(false) >= limits_.untrusted;
    Connection* made = table_.insert(flow(number), now_);
    ASSERT_NE(made, nullptr);
    if (full) {
      expect_first_gone(ConnectionEnd::kRecycledUntrusted,
                        [](const Remembered& r) { return !r.trusted; });
    }
    ASSERT_TRUE(ended_.empty());
    made->server = ServerIndex{number};
    made->state = any_state();
    table_.arm(*made, now_);
    model_[number] = {made->state, now_, false};
  }

  void use(uint32_t number, Connection& found, Remembered& remembered) {
    switch (below(8)) {
      case 0:
        table_.remove(found);
        ASSERT_EQ(ended_.size(), 1U);
        ASSERT_EQ(ended_.front(), std::make_pair(number, ConnectionEnd::kRemoved));
        ended_.clear();
        model_.erase(number);
        return;
      case 1:
        return trust(found, remembered);
      case 2:
      case 3:
        found.state = remembered.state = any_state();
        remembered.last_seen = now_;
        return table_.arm(found, now_);
      default:
        found.last_seen = remembered.last_seen = now_;
    }
  }

  void trust(Connection& found, Remembered& remembered) {
    if (remembered.trusted) {
      ASSERT_TRUE(table_.trust(found, now_));
      return;
    }
    const bool full = count(true) >= limits_.trusted;
    const auto closing = [](const Remembered& r) { return r.trusted && is_closing(r.state); };
    const bool room = !full || std::any_of(model_.begin(), model_.end(),
                                           [&](const auto& each) { return closing(each.second); });
    ASSERT_EQ(table_.trust(found, now_), room);
    if (!room) {
      return;
    }
    remembered.trusted = true;
    remembered.last_seen = now_;
    if (full) {
      remembered.trusted = false;  // itself was not among those to choose from
      expect_first_gone(ConnectionEnd::kEvictedClosing, closing);
      remembered.trusted = true;
    }
  }

  void expire() {
    const uint32_t budget = below(4) == 0 ? UINT32_MAX : below(4);
    table_.expire(now_, budget);
    ASSERT_LE(ended_.size(), budget);
    for (const auto& [number, reason] : ended_) {
      ASSERT_EQ(reason, ConnectionEnd::kExpired);
      const auto known = model_.find(number);
      ASSERT_NE(known, model_.end());
      ASSERT_LE(end_of(known->second), now_) << "expired early";
      model_.erase(known);
      ++ends[reason];
    }
    ended_.clear();
    if (budget == UINT32_MAX) {
      for (const auto& [number, remembered] : model_) {
        ASSERT_GT(end_of(remembered), now_) << number << " is late";
      }
    }
  }

  const ConnectionLimits limits_;
  const uint32_t flows_;
  std::mt19937_64 random_;
  Timeouts timeouts_;
  Seconds32 now_ = 1000;
  std::unordered_map<uint32_t, Remembered> model_;
  std::vector<std::pair<uint32_t, ConnectionEnd>> ended_;
  ConnectionTable table_;
};

struct Life {
  const char* name;
  ConnectionLimits limits;
  uint32_t flows;
  uint32_t longest_timeout;
  uint32_t steps;

  friend void PrintTo(const Life& life, std::ostream* out) { *out << life.name; }
};

class ConnectionTableModel : public testing::TestWithParam<Life> {};

TEST_P(ConnectionTableModel, DoesWhatAScanOfAllFlowsWouldDo) {
  const Life& life = GetParam();
  for (const uint64_t seed : {1U, 2U, 3U}) {
    Comparison comparison(life.limits, life.flows, life.longest_timeout, seed);
    for (uint32_t step = 0; step < life.steps; ++step) {
      comparison.step();
      ASSERT_FALSE(HasFatalFailure()) << "seed " << seed << ", step " << step;
      if (step % 1000 == 0) {
        comparison.compare_all();
        ASSERT_FALSE(HasFatalFailure()) << "seed " << seed << ", step " << step;
      }
    }
    EXPECT_GT(comparison.ends[ConnectionEnd::kExpired], 0U);
  }
}

INSTANTIATE_TEST_SUITE_P(Lives, ConnectionTableModel,
                         testing::Values(Life{"crowded", {20, 12}, 60, 300, 700'000},
                                         Life{"short", {20, 12}, 60, 10, 700'000},
                                         Life{"long", {20, 12}, 60, 20'000, 700'000},
                                         Life{"roomy", {200, 60}, 200, 1000, 150'000}),
                         [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace ballast
