#include "dataplane/connection/connection_table.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace ballast {

ConnectionTable::ConnectionTable(const ConnectionLimits& limits, const FlowHashKey& hash_key,
                                 TimeoutOf timeout_of, OnEnd on_end, TableMemory& memory)
    : limits_(limits),
      hash_key_(hash_key),
      timeout_of_(std::move(timeout_of)),
      on_end_(limits.translations ? ending_translations(std::move(on_end)) : std::move(on_end)),
      bucket_count_(BucketIndex::buckets_for(limits.trusted + limits.untrusted)),
      buckets_(take_block<Bucket>(memory, bucket_count_, memory_bytes_)),
      entries_(take_block<Connection>(memory, size_t{limits.trusted} + limits.untrusted + 1,
                                      memory_bytes_)),
      timer_slots_(
          take_block<TimerSlot>(memory, size_t{kWheels} * TimerWheel::kSlots, memory_bytes_)),
      index_(buckets_.get(), bucket_count_),
      wheels_{
          TimerWheel(kUntrusted, timer_slots_.get(), entries_.get()),
          TimerWheel(kEstablished, timer_slots_.get() + size_t{kEstablished} * TimerWheel::kSlots,
                     entries_.get()),
          TimerWheel(kClosing, timer_slots_.get() + size_t{kClosing} * TimerWheel::kSlots,
                     entries_.get())} {
  assert(limits.trusted <= UINT32_MAX / 2 && limits.untrusted <= UINT32_MAX / 2);
  entries_[0].key.zero[0] = kFreeMark;  // the candidate of a probe that matched no tag
  if (limits.translations) {
    translations_ = std::make_unique<TranslationTable>(
        entries_.get(), limits.trusted + limits.untrusted, hash_key, memory);
  }
}

// ---- changes

Connection* ConnectionTable::insert(const FlowKey& key, Seconds32 now) {
  return insert(key, Probe{flow_hash(key, hash_key_), 0}, now);
}

Connection* ConnectionTable::insert(const FlowKey& key, const Probe& probe, Seconds32 now) {
  if (untrusted_ >= limits_.untrusted) {
    const ConnectionIndex victim = oldest(kUntrusted, now);
    if (victim == 0) {
      return nullptr;
    }
    end(victim, ConnectionEnd::kRecycledUntrusted);
    scout(kUntrusted);
  }
  const ConnectionIndex entry = take_free();
  if (!index_.insert(probe.hash, entry)) {
    give_back(entry);
    return nullptr;
  }
  ++untrusted_;
  Connection& connection = entries_[entry];
  connection = Connection{};
  connection.key = key;
  connection.last_seen = now;
  connection.wheel_slot = TimerWheel::kNotHung;
  return &connection;
}

void ConnectionTable::arm(Connection& connection, Seconds32 now) {
  const ConnectionIndex entry = index_of(connection);
  connection.last_seen = now;
  take_down(entry);
  hang(entry, class_of(connection), now);
}

bool ConnectionTable::trust(Connection& connection, Seconds32 now) {
  if (connection.trusted) {
    return true;
  }
  if (trusted_ >= limits_.trusted) {
    const ConnectionIndex victim = oldest(kClosing, now);
    if (victim == 0) {
      return false;
    }
    end(victim, ConnectionEnd::kEvictedClosing);
    scout(kClosing);
  }
  connection.trusted = true;
  --untrusted_;
  ++trusted_;
  arm(connection, now);
  return true;
}

void ConnectionTable::remove(Connection& connection) {
  end(index_of(connection), ConnectionEnd::kRemoved);
}

void ConnectionTable::expire(Seconds32 now, uint32_t budget) {
  // Whatever is hung up in a second is due in a later one: once drained, a second has nothing more
  // to expire.
  if (drained_at_ == now) {
    return;
  }
  // Begins with another wheel each time, so that a backlog in one does not starve the others.
  const uint32_t begin = first_wheel_;
  first_wheel_ = (first_wheel_ + 1) % kWheels;
  for (uint32_t i = 0; i < kWheels; ++i) {
    if (!expire_wheel(static_cast<Wheel>((begin + i) % kWheels), now, budget)) {
      return;
    }
  }
  drained_at_ = now;
}

// False when the budget ended before the work.
bool ConnectionTable::expire_wheel(Wheel wheel, Seconds32 now, uint32_t& budget) {
  TimerWheel& timer = wheels_[wheel];
  while (!timer.empty() && timer.first_due() <= now) {
    if (budget == 0) {
      return false;
    }
    --budget;
    const ConnectionIndex entry = timer.first();
    const Connection& connection = entries_[entry];
    __builtin_prefetch(&entries_[connection.wheel_next], 1);
    if (uint64_t{connection.last_seen} + timeout_of(connection) <= now) {
      end(entry, ConnectionEnd::kExpired);
    } else {
      timer.take(entry);
      hang(entry, wheel, now);
    }
  }
  timer.advance(now);
  return true;
}

// ---- wheels

uint32_t ConnectionTable::timeout_of(const Connection& connection) const {
  return std::max(timeout_of_(connection), uint32_t{1});
}

ConnectionTable::Wheel ConnectionTable::class_of(const Connection& connection) const {
  if (!connection.trusted) {
    return kUntrusted;
  }
  return is_closing(connection.state) ? kClosing : kEstablished;
}

void ConnectionTable::hang(ConnectionIndex entry, Wheel wheel, Seconds32 now) {
  const Connection& connection = entries_[entry];
  wheels_[wheel].hang(entry, uint64_t{connection.last_seen} + timeout_of(connection), now);
}

void ConnectionTable::take_down(ConnectionIndex entry) {
  const uint16_t slot = entries_[entry].wheel_slot;
  if (slot != TimerWheel::kNotHung) {
    wheels_[TimerWheel::wheel_of(slot)].take(entry);
  }
}

// When an entry that was last used at its last_seen would hang, if hung up then.
uint64_t ConnectionTable::look_at(const Connection& connection) const {
  return uint64_t{connection.last_seen} + std::min(timeout_of(connection), TimerWheel::kHorizon);
}

// The entry of a wheel that is due first, by its last packet; 0 when the wheel is empty. Those that
// are first only because they have not been looked at since a packet came are hung up where they
// belong.
ConnectionIndex ConnectionTable::oldest(Wheel wheel, Seconds32 now) {
  TimerWheel& timer = wheels_[wheel];
  for (uint32_t rehung = 0; rehung < kMaxRehung && !timer.empty(); ++rehung) {
    const ConnectionIndex first = timer.first();
    if (look_at(entries_[first]) <= timer.first_due()) {
      return first;
    }
    timer.take(first);
    hang(first, wheel, now);
  }
  return timer.first();
}

// A victim was taken from the wheel, and in a table that is full every new flow takes another. What
// the next ones will need is fetched now: the buckets they are in, and the entries in line behind
// them. A scout that lost its way (its entry is free or in another wheel, or the second has
// changed) begins anew at the first entry, and catches up by two steps at a time.
void ConnectionTable::scout(Wheel wheel) {
  Scout& scout = scouts_[wheel];
  if (scout.lead == 0 || scout.entry == 0 || is_free(entries_[scout.entry]) ||
      class_of(entries_[scout.entry]) != wheel) {
    scout = {.entry = wheels_[wheel].first()};
  } else {
    --scout.lead;
    static_cast<void>(index_.candidate(scout.hash));  // asks for the alternative, if it is there
  }
  for (uint32_t step = 0; step < 2 && scout.lead < kScoutLead && scout.entry != 0; ++step) {
    const Connection& next = entries_[scout.entry];
    const uint64_t hash = flow_hash(next.key, hash_key_);
    index_.prefetch(hash);
    __builtin_prefetch(&entries_[next.wheel_next], 1);
    scout = {.entry = next.wheel_next, .lead = scout.lead + 1, .hash = hash};
  }
}

// ---- entries

// There is one: both quotas are checked before.
ConnectionIndex ConnectionTable::take_free() {
  if (free_ == 0) {
    assert(high_water_ < limits_.trusted + limits_.untrusted);
    return ++high_water_;
  }
  const ConnectionIndex entry = free_;
  free_ = entries_[entry].wheel_next;
  return entry;
}

void ConnectionTable::give_back(ConnectionIndex entry) {
  entries_[entry].key.zero[0] = kFreeMark;
  entries_[entry].wheel_next = free_;
  free_ = entry;
}

void ConnectionTable::end(ConnectionIndex entry, ConnectionEnd reason) {
  Connection& connection = entries_[entry];
  if (on_end_) {
    on_end_(connection, reason);
  }
  take_down(entry);
  const bool erased = index_.erase(flow_hash(connection.key, hash_key_), entry);
  assert(erased);
  (void)erased;
  --(connection.trusted ? trusted_ : untrusted_);
  give_back(entry);
}

// ---- translations

// By way of on_end_, so that tables without translations have nothing to ask at an entry's end.
ConnectionTable::OnEnd ConnectionTable::ending_translations(OnEnd on_end) {
  return [this, on_end = std::move(on_end)](const Connection& connection, ConnectionEnd reason) {
    if (on_end) {
      on_end(connection, reason);
    }
    end_translation(connection, reason);
  };
}

void ConnectionTable::end_translation(const Connection& connection, ConnectionEnd reason) {
  if (connection.translated) {
    translations_->forget(entries_[index_of(connection)]);
  }
  // A table that is full: those in line are known, and their keys have been fetched (scout()).
  if (reason == ConnectionEnd::kRecycledUntrusted) {
    translations_->prepare_to_forget(scouts_[kUntrusted].entry);
  } else if (reason == ConnectionEnd::kEvictedClosing) {
    translations_->prepare_to_forget(scouts_[kClosing].entry);
  }
}

// ---- reading

ConnectionIndex ConnectionTable::visit(
    ConnectionIndex cursor, uint32_t count,
    const std::function<void(const Connection&)>& visitor) const {
  const uint64_t begin = std::max(cursor, ConnectionIndex{1});
  const uint64_t end = std::min(begin + count, uint64_t{high_water_} + 1);
  for (uint64_t entry = begin; entry < end; ++entry) {
    if (!is_free(entries_[entry])) {
      visitor(entries_[entry]);
    }
  }
  return end > high_water_ ? 0 : static_cast<ConnectionIndex>(end);
}

uint32_t ConnectionTable::expires_in(const Connection& connection, Seconds32 now) const {
  const uint64_t end = uint64_t{connection.last_seen} + timeout_of(connection);
  return end > now ? static_cast<uint32_t>(end - now) : 0;
}

}  // namespace ballast
