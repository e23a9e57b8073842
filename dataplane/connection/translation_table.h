// How NAT and FULLNAT find a connection by its server's replies. Part of a ConnectionTable that was
// built with `translations`; single-threaded as that is.
//
// Theory of operation
//   One TranslationRecord stands beside each entry of the table, under the same index. A second
//   BucketIndex over the same entries finds them by ReturnKey: the four-tuple between the server
//   and its peer. Neither entry nor record holds that tuple as a whole, since server and local
//   addresses are numbers of the forwarding snapshot; so every function that compares takes
//   `key_of`: from (const Connection&, const TranslationRecord&) to the ReturnKey; with a member
//   is_key(connection, record, key) it may compare by itself. It must say the
//   same as long as the entry lives: the server's identity is its endpoint, and the index of a
//   server or local address is not used again before its connections are gone.
//
//   What is erased goes by the hash that was noted when it was inserted: it is found again whatever
//   has become of its server in the snapshot, and nothing is asked of the snapshot at an entry's
//   end. BucketIndex moves its entries by tag alone and needs no hash for that.
//
//   No two entries share a ReturnKey: insert() refuses the second. In NAT that is a client port
//   that reaches one server through two VIPs; only another server can tell them apart.
//
//   A burst is looked up in the same passes as in the table's own index, with the same probes.
//   Memory: 32 bytes an entry, and 10 to 20 of buckets.
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/connection/bucket_index.h"
#include "dataplane/connection/connection.h"
#include "dataplane/connection/return_key.h"
#include "dataplane/connection/table_memory.h"
#include "dataplane/connection/translation.h"
#include "dataplane/packet/flow_key.h"

namespace ballast {

enum class ReturnInsert : uint8_t {
  kInserted,
  kTaken,   // another connection has this four-tuple towards the server
  kNoRoom,  // both buckets and all around them are full
};

class TranslationTable {
 public:
  // Beside entries [0, count] of a table, which outlive this; entry 0 is never used.
  TranslationTable(Connection* entries, uint32_t count, const FlowHashKey& hash_key,
                   TableMemory& memory);
  TranslationTable(const TranslationTable&) = delete;
  TranslationTable& operator=(const TranslationTable&) = delete;

  // --- records
  // Of a connection of this table whose `translated` is set.
  [[nodiscard]] TranslationRecord& of(const Connection& connection) {
    return records_[index_of(connection)];
  }
  [[nodiscard]] const TranslationRecord& of(const Connection& connection) const {
    return records_[index_of(connection)];
  }
  // For a packet from the client, beside ConnectionTable::prefetch_entry().
  [[gnu::always_inline]] void prefetch_record(const ConnectionProbe& probe) const {
    __builtin_prefetch(&records_[probe.candidate], 1);
  }

  // --- lookups of replies, one at a time or by burst; what is said of ConnectionTable's holds here
  template <typename KeyOf>
  [[nodiscard]] Connection* find(const ReturnKey& key, KeyOf&& key_of) {
    return find(key, flow_hash(key.tuple, hash_key_), key_of);
  }
  // Pass 1: hashes the key, prefetches its bucket. Also worth it ahead of an insert().
  [[gnu::always_inline]] void prefetch_bucket(const ReturnKey& key, ConnectionProbe& probe) const {
    probe.hash = flow_hash(key.tuple, hash_key_);
    probe.candidate = 0;
    index_.prefetch(probe.hash);
  }
  // Pass 2: matches tags, prefetches the entry they point to, and its record.
  [[gnu::always_inline]] void prefetch_entry(ConnectionProbe& probe) const {
    probe.candidate = index_.candidate(probe.hash);
    __builtin_prefetch(&entries_[probe.candidate], 1);
    prefetch_record(probe);
  }
  // Between passes 2 and 3, for a reply without a candidate.
  void prefetch_second_entry(ConnectionProbe& probe) const {
    probe.candidate = index_.second_candidate(probe.hash);
    __builtin_prefetch(&entries_[probe.candidate], 1);
    prefetch_record(probe);
  }
  // Pass 3: the verified entry or null. Correct also when the table was changed between the passes.
  template <typename KeyOf>
  [[nodiscard]] Connection* find(const ReturnKey& key, const ConnectionProbe& probe,
                                 KeyOf&& key_of) {
    if (entries_[probe.candidate].translated && matches(probe.candidate, key, key_of)) [[likely]] {
      return &entries_[probe.candidate];
    }
    return find(key, probe.hash, key_of);
  }

  // --- changes
  // Gives a connection that is not yet `translated` its record, and makes it known by
  // key_of(connection, record), until it ends. Anything but kInserted changes nothing: the
  // connection is as before, and it is the caller's to remove() it or to choose another server.
  template <typename KeyOf>
  [[nodiscard]] ReturnInsert insert(Connection& connection, const TranslationRecord& record,
                                    KeyOf&& key_of) {
    const ReturnKey key = key_of(connection, record);
    const uint64_t hash = flow_hash(key.tuple, hash_key_);
    if (find(key, hash, key_of) != nullptr) {
      return ReturnInsert::kTaken;
    }
    return put(connection, record, hash) ? ReturnInsert::kInserted : ReturnInsert::kNoRoom;
  }

  [[nodiscard]] uint32_t size() const { return size_; }
  [[nodiscard]] size_t memory_bytes() const { return memory_bytes_; }

  // --- for the ConnectionTable
  // The connection ends: it is not found by replies any more.
  void forget(Connection& connection);
  // In a table that is full entries end in line: this one's turn will come after another few. What
  // forget() will need is fetched, in two steps: the record now, its bucket with the next call.
  void prepare_to_forget(ConnectionIndex entry);

 private:
  [[nodiscard]] ConnectionIndex index_of(const Connection& connection) const {
    return static_cast<ConnectionIndex>(&connection - entries_);
  }
  template <typename KeyOf>
  [[nodiscard]] bool matches(ConnectionIndex entry, const ReturnKey& key, KeyOf& key_of) const {
    const Connection& connection = entries_[entry];
    const TranslationRecord& record = records_[entry];
    if constexpr (requires { key_of.is_key(connection, record, key); }) {
      return key_of.is_key(connection, record, key);
    } else {
      return key_of(connection, record) == key;
    }
  }
  template <typename KeyOf>
  Connection* find(const ReturnKey& key, uint64_t hash, KeyOf& key_of) {
    const ConnectionIndex found =
        index_.find(hash, [&](ConnectionIndex entry) { return matches(entry, key, key_of); });
    return found != 0 ? &entries_[found] : nullptr;
  }
  bool put(Connection& connection, const TranslationRecord& record, uint64_t hash);

  Connection* entries_;
  const FlowHashKey hash_key_;
  const uint32_t bucket_count_;
  size_t memory_bytes_ = 0;
  TableBlock<Bucket> buckets_;
  TableBlock<TranslationRecord> records_;
  BucketIndex index_;
  uint32_t size_ = 0;
  ConnectionIndex prepared_ = 0;  // whose record was fetched last
};

}  // namespace ballast
