#include "dataplane/connection/translation_table.h"

#include <cassert>

namespace ballast {

TranslationTable::TranslationTable(Connection* entries, uint32_t count, const FlowHashKey& hash_key,
                                   TableMemory& memory)
    : entries_(entries),
      hash_key_(hash_key),
      bucket_count_(BucketIndex::buckets_for(count)),
      buckets_(take_block<Bucket>(memory, bucket_count_, memory_bytes_)),
      records_(take_block<TranslationRecord>(memory, size_t{count} + 1, memory_bytes_)),
      index_(buckets_.get(), bucket_count_) {}

bool TranslationTable::put(Connection& connection, const TranslationRecord& record, uint64_t hash) {
  assert(!connection.translated);
  const ConnectionIndex entry = index_of(connection);
  if (!index_.insert(hash, entry)) {
    return false;
  }
  records_[entry] = record;
  records_[entry].return_hash = hash;
  connection.translated = true;
  ++size_;
  return true;
}

void TranslationTable::forget(Connection& connection) {
  assert(connection.translated);
  const ConnectionIndex entry = index_of(connection);
  const bool erased = index_.erase(records_[entry].return_hash, entry);
  assert(erased);
  (void)erased;
  connection.translated = false;
  --size_;
}

void TranslationTable::prepare_to_forget(ConnectionIndex entry) {
  // One that is not translated leads to a bucket of no use, and to no harm.
  index_.prefetch(records_[prepared_].return_hash);
  __builtin_prefetch(&records_[entry], 1);
  prepared_ = entry;
}

}  // namespace ballast
