// What one worker remembers of its flows: a bounded table with two quotas and lazy expiry.
// Single-threaded.
//
// Theory of operation
//   Entries are one cache line each, in one array; a BucketIndex (bucket_index.h) finds them by
//   hash. A lookup reads one bucket, seldom two, compares eight tags in one SSE2 instruction, then
//   verifies the full key in the entry. A burst is looked up in three passes, so that the cache
//   misses of its packets overlap: hash all and prefetch buckets, match tags and prefetch entries,
//   verify.
//
//   Every entry hangs in one of three timer wheels (timer_wheel.h): untrusted, established,
//   closing. A packet only writes `last_seen`; when a slot comes due, an entry that was used since
//   is hung up again at last_seen + timeout. Only a change of state moves an entry at once. So an
//   entry is always looked at no later than it ends, never ended early, and ended in the second in
//   which it is due, if the budget of expire() lasts.
//
//   A new flow is untrusted and lives within the untrusted quota: when that is used up, the
//   untrusted entry that is due first is recycled. trust() moves it over; when the trusted quota is
//   full, the entry nearest to its end among the closing ones goes, else trust() refuses (the flow
//   stays untrusted and is forwarded all the same). Untrusted flows never push out trusted ones:
//   the two quotas add up to the number of entries. In these two choices an end more than
//   TimerWheel::kHorizon (4095 s) after the last packet counts as that far, and the older flow goes
//   first.
//
//   With `translations`, for NAT and FULLNAT, a TranslationTable (translation_table.h) stands
//   beside the entries. An entry that it knows is forgotten there when it ends, in whatever way. A
//   table without it runs the same code as if there were none.
//
//   Memory is taken once, at construction, and touched as entries are first used: 64 bytes an
//   entry, and 10 to 20 of buckets; as much as 52 more an entry with `translations`.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "dataplane/connection/bucket_index.h"
#include "dataplane/connection/connection.h"
#include "dataplane/connection/table_memory.h"
#include "dataplane/connection/timer_wheel.h"
#include "dataplane/connection/translation_table.h"
#include "dataplane/packet/flow_key.h"

namespace ballast {

struct ConnectionLimits {
  uint32_t trusted = 1'000'000;  // entries
  uint32_t untrusted = 100'000;
  bool translations = false;  // NAT or FULLNAT connections may be among them
};

// Why an entry left the table; counted by the owner.
enum class ConnectionEnd : uint8_t { kExpired, kRecycledUntrusted, kEvictedClosing, kRemoved };

class ConnectionTable {
 public:
  // Called for every entry that leaves, before it is freed: the owner keeps its load counts by it.
  // Entries that are still there when the table is destroyed are not reported. Must not call the
  // table, but for the entry's TranslationRecord, which is still there.
  using OnEnd = std::function<void(const Connection&, ConnectionEnd)>;
  // The timeout in seconds that holds for an entry in the state it is in; 0 counts as 1. Asked when
  // an entry is armed or looked at, never for a packet that changes nothing. It may change over
  // time: a longer one holds at once, a shorter one when the entry is looked at next.
  using TimeoutOf = std::function<uint32_t(const Connection&)>;

  ConnectionTable(const ConnectionLimits& limits, const FlowHashKey& hash_key, TimeoutOf timeout_of,
                  OnEnd on_end, TableMemory& memory = process_memory());
  ConnectionTable(const ConnectionTable&) = delete;
  ConnectionTable& operator=(const ConnectionTable&) = delete;

  // --- lookups, one at a time or by burst. The passes are inlined by force, here as in the
  // TranslationTable: each is a few instructions of a loop that the packet path is made of.
  // A pointer to an entry is good until the next insert(), trust(), remove() or expire(): each of
  // them may end others.
  [[nodiscard]] Connection* find(const FlowKey& key) {
    return find(key, flow_hash(key, hash_key_));
  }

  static constexpr size_t kMaxBurst = 64;
  using Probe = ConnectionProbe;
  // Pass 1: hashes the key, prefetches its bucket.
  [[gnu::always_inline]] void prefetch_bucket(const FlowKey& key, Probe& probe) const {
    probe.hash = flow_hash(key, hash_key_);
    probe.candidate = 0;
    index_.prefetch(probe.hash);
  }
  // Pass 2: matches tags, prefetches the entry they point to.
  [[gnu::always_inline]] void prefetch_entry(Probe& probe) const {
    probe.candidate = index_.candidate(probe.hash);
    __builtin_prefetch(&entries_[probe.candidate], 1);
  }
  // Between passes 2 and 3, for a flow without a candidate: it may live in its alternative bucket,
  // which pass 2 asked for.
  void prefetch_second_entry(Probe& probe) const {
    probe.candidate = index_.second_candidate(probe.hash);
    __builtin_prefetch(&entries_[probe.candidate], 1);
  }
  // For a packet that will likely change the state, somewhere between passes 2 and 3: prefetches
  // the neighbours of its entry in the wheel, which arm() and remove() write to.
  void prefetch_links(const Probe& probe) const {
    const Connection& candidate = entries_[probe.candidate];
    __builtin_prefetch(&entries_[candidate.wheel_previous], 1);
    __builtin_prefetch(&entries_[candidate.wheel_next], 1);
  }
  // Pass 3: the verified entry or null. Correct also when the table was changed between the passes.
  [[nodiscard]] Connection* find(const FlowKey& key, const Probe& probe) {
    Connection& candidate = entries_[probe.candidate];
    if (same_key(candidate.key, key)) [[likely]] {
      return &candidate;
    }
    return find(key, probe.hash);
  }

  // --- changes
  // `now` never runs backwards.

  // A new untrusted entry, in no list of anyone else: the caller fills server, state,
  // next_sequence, then calls arm() or remove(). The key must not be in the table. May recycle the
  // oldest untrusted entry. Null only when the table cannot place the key at all: the untrusted
  // quota is 0, or both buckets and all around them are full.
  Connection* insert(const FlowKey& key, const Probe& probe, Seconds32 now);
  Connection* insert(const FlowKey& key, Seconds32 now);
  // Hangs the entry into the wheel of its class at now + timeout, and notes that it was seen now;
  // to be called after insert and after every change of state.
  void arm(Connection& connection, Seconds32 now);
  // False when there is no room among the trusted; the entry stays untrusted and armed as it was
  // then. Arms otherwise. May evict the closing entry that is nearest to its end.
  bool trust(Connection& connection, Seconds32 now);
  void remove(Connection& connection);

  // Ends what is due; at most `budget` entries are looked at, the rest next time. Cheap when
  // nothing is due.
  void expire(Seconds32 now, uint32_t budget = 64);

  // --- translations
  // Null in a table without them.
  [[nodiscard]] TranslationTable* translations() { return translations_.get(); }
  [[nodiscard]] const TranslationTable* translations() const { return translations_.get(); }

  // --- reading
  [[nodiscard]] uint32_t size() const { return trusted_ + untrusted_; }
  [[nodiscard]] uint32_t trusted() const { return trusted_; }
  [[nodiscard]] uint32_t untrusted() const { return untrusted_; }
  [[nodiscard]] const ConnectionLimits& limits() const { return limits_; }
  [[nodiscard]] size_t memory_bytes() const {
    return memory_bytes_ + (translations_ != nullptr ? translations_->memory_bytes() : 0);
  }
  // Visits up to `count` positions from `cursor` on, in the order of memory; the cursor to go on
  // with, 0 at the end. Between two calls entries may come and go: one that stays is seen exactly
  // once.
  ConnectionIndex visit(ConnectionIndex cursor, uint32_t count,
                        const std::function<void(const Connection&)>& visitor) const;
  // Seconds until the entry would expire if no packet came.
  [[nodiscard]] uint32_t expires_in(const Connection& connection, Seconds32 now) const;

 private:
  enum Wheel : uint32_t { kUntrusted, kEstablished, kClosing, kWheels };
  // Entries used since they were hung up that one choice of the oldest hangs up again before it
  // takes what is first: it bounds the work of one packet. Each of them costs a flow at least one
  // packet of its own.
  static constexpr uint32_t kMaxRehung = 64;
  // So far ahead of the victim of the moment: under a flood, each of them is the next one's time to
  // come from memory.
  static constexpr uint32_t kScoutLead = 4;
  struct Scout {
    ConnectionIndex entry = 0;  // behind the last one that was looked at
    uint32_t lead = 0;          // how many were looked at and are still to be taken
    uint64_t hash = 0;          // of the last one: its bucket is on its way
  };
  // In FlowKey's padding, which is zero in every key of a packet: a free entry equals no key.
  static constexpr uint8_t kFreeMark = 0xff;

  Connection* find(const FlowKey& key, uint64_t hash) {
    const ConnectionIndex found = index_.find(
        hash, [&](ConnectionIndex entry) { return same_key(entries_[entry].key, key); });
    return found != 0 ? &entries_[found] : nullptr;
  }

  [[nodiscard]] ConnectionIndex index_of(const Connection& connection) const {
    return static_cast<ConnectionIndex>(&connection - entries_.get());
  }
  [[nodiscard]] uint32_t timeout_of(const Connection& connection) const;
  [[nodiscard]] uint64_t look_at(const Connection& connection) const;
  Wheel class_of(const Connection& connection) const;
  void hang(ConnectionIndex entry, Wheel wheel, Seconds32 now);
  void take_down(ConnectionIndex entry);
  ConnectionIndex oldest(Wheel wheel, Seconds32 now);
  void scout(Wheel wheel);
  static bool is_free(const Connection& entry) { return entry.key.zero[0] == kFreeMark; }
  bool expire_wheel(Wheel wheel, Seconds32 now, uint32_t& budget);
  ConnectionIndex take_free();
  void end(ConnectionIndex entry, ConnectionEnd reason);
  void give_back(ConnectionIndex entry);
  OnEnd ending_translations(OnEnd on_end);
  void end_translation(const Connection& connection, ConnectionEnd reason);

  const ConnectionLimits limits_;
  const FlowHashKey hash_key_;
  const TimeoutOf timeout_of_;
  const OnEnd on_end_;
  const uint32_t bucket_count_;
  size_t memory_bytes_ = 0;
  TableBlock<Bucket> buckets_;
  TableBlock<Connection> entries_;  // entry 0 is never used
  TableBlock<TimerSlot> timer_slots_;
  BucketIndex index_;
  std::array<TimerWheel, kWheels> wheels_;
  std::array<Scout, kWheels> scouts_{};
  uint32_t trusted_ = 0;
  uint32_t untrusted_ = 0;
  ConnectionIndex free_ = 0;           // entries used before, last in first out, through wheel_next
  ConnectionIndex high_water_ = 0;     // no entry above it was ever used
  uint32_t first_wheel_ = kUntrusted;  // with which expire() begins
  uint64_t drained_at_ = UINT64_MAX;   // the second in which nothing was left to expire
  std::unique_ptr<TranslationTable> translations_;
};

}  // namespace ballast
