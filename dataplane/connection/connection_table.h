// What one worker remembers of its flows: a bounded table with two quotas and lazy expiry. Single-threaded.
//
// Theory of operation
//   Buckets of one cache line hold eight 16-bit tags and eight 32-bit entry indexes; a flow has two candidate buckets
//   (from its keyed 64-bit hash), inserts move others between theirs when both are full. Entries are one cache line
//   each, in one array, with a free list. A lookup reads one or two buckets, compares eight tags in one SSE2
//   instruction, then verifies the full key. A burst is looked up in three passes: hash all and prefetch buckets,
//   match tags and prefetch entries, verify.
//
//   Every entry hangs in one of three timer wheels (untrusted, established, closing), each with one-second slots and
//   lists in order of arming. A packet only writes `last_seen`; when a slot comes due, an entry that was used
//   since is hung up again at last_seen + timeout. Only a change of state moves an entry at once.
//
//   A new flow is untrusted and lives within the untrusted quota: when that is used up, the oldest untrusted entry is
//   recycled. trust() moves it over; when the trusted quota is full, the entry nearest to its end among the closing
//   ones goes, else trust() refuses (the flow stays untrusted and is forwarded all the same). Untrusted flows never push
//   out trusted ones.
//
//   Memory is taken once, at construction: about 64 bytes an entry and 8 to 16 bytes of bucket a slot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "dataplane/connection/connection.h"
#include "dataplane/packet/flow_key.h"

namespace ballast {

struct ConnectionLimits {
  uint32_t trusted = 1'000'000;   // entries
  uint32_t untrusted = 100'000;
};

// Where the table's memory comes from; dpdk/ gives one over hugepages. Zeroed, aligned to 64 bytes.
class TableMemory {
 public:
  virtual ~TableMemory() = default;
  virtual void* allocate(size_t bytes) = 0;  // never null; the program ends at start-up when there is none
  virtual void free(void* memory) = 0;
};
TableMemory& process_memory();  // plain aligned memory of the process

// Why an entry left the table; counted by the owner.
enum class ConnectionEnd : uint8_t { kExpired, kRecycledUntrusted, kEvictedClosing, kRemoved };

class ConnectionTable {
 public:
  // Called for every entry that leaves, before it is freed: the owner keeps its load counts by it.
  using OnEnd = std::function<void(const Connection&, ConnectionEnd)>;
  // The timeout in seconds that holds for an entry in the state it is in.
  using TimeoutOf = std::function<uint32_t(const Connection&)>;

  ConnectionTable(const ConnectionLimits& limits, const FlowHashKey& hash_key, TimeoutOf timeout_of, OnEnd on_end,
                  TableMemory& memory = process_memory());
  ~ConnectionTable();
  ConnectionTable(const ConnectionTable&) = delete;
  ConnectionTable& operator=(const ConnectionTable&) = delete;

  // --- lookups, one at a time or by burst
  [[nodiscard]] Connection* find(const FlowKey& key);

  static constexpr size_t kMaxBurst = 64;
  struct Probe {   // of one packet, between the passes of a burst
    uint64_t hash = 0;
    ConnectionIndex candidate = 0;
  };
  // Pass 1: hashes the key, prefetches its buckets.
  void prefetch_bucket(const FlowKey& key, Probe& probe) const;
  // Pass 2: matches tags, prefetches the entry they point to.
  void prefetch_entry(Probe& probe) const;
  // Pass 3: the verified entry or null. Correct also when the table was changed between the passes.
  [[nodiscard]] Connection* find(const FlowKey& key, const Probe& probe);

  // --- changes
  // A new untrusted entry, in no list of anyone else: the caller fills server, state, next_sequence, then calls arm().
  // The key must not be in the table. May recycle the oldest untrusted entry. Null only when the table cannot place the
  // key at all.
  Connection* insert(const FlowKey& key, const Probe& probe, Seconds32 now);
  Connection* insert(const FlowKey& key, Seconds32 now);
  // Hangs the entry into the wheel of its class at now + timeout; to be called after insert and after every change of
  // state.
  void arm(Connection& connection, Seconds32 now);
  // False when there is no room among the trusted; the entry stays untrusted then.
  bool trust(Connection& connection, Seconds32 now);
  void remove(Connection& connection);

  // Ends what is due; at most `budget` entries are looked at, the rest next time. Cheap when nothing is due.
  void expire(Seconds32 now, uint32_t budget = 64);

  // --- reading
  [[nodiscard]] uint32_t size() const;
  [[nodiscard]] uint32_t trusted() const;
  [[nodiscard]] uint32_t untrusted() const;
  [[nodiscard]] size_t memory_bytes() const;
  // Visits up to `count` positions from `cursor` on, in the order of memory; the cursor to go on with, 0 at the end.
  // Between two calls entries may come and go: one that stays is seen exactly once.
  ConnectionIndex visit(ConnectionIndex cursor, uint32_t count, const std::function<void(const Connection&)>& visitor) const;
  // Seconds until the entry would expire if no packet came.
  [[nodiscard]] uint32_t expires_in(const Connection& connection, Seconds32 now) const;

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace ballast
