#include "dataplane/connection/fragment_records.h"

#include <cassert>

namespace ballast {
namespace {

// Wraps after 49 days; no record is that old.
uint32_t milliseconds(uint64_t ns) {
  return static_cast<uint32_t>(ns / 1'000'000);
}

uint32_t tag_of_hash(uint64_t hash) {
  const auto tag = static_cast<uint32_t>(hash >> 32);
  return tag != 0 ? tag : 1;
}

FragmentRecords::Ruling dropped(DropReason reason) {
  return {FragmentFate::kDrop, reason, {}, 0};
}

}  // namespace

FragmentRecords::FragmentRecords(const FlowHashKey& hash_key, TableMemory& memory)
    : hash_key_(hash_key),
      sets_(take_block<Set>(memory, kSets, memory_bytes_)),
      records_(take_block<Record>(memory, kDatagrams, memory_bytes_)),
      rooms_(take_block<Room>(memory, kRooms + size_t{1}, memory_bytes_)) {
  for (RoomNumber room = 1; room <= kRooms; ++room) {
    append(free_, room);
  }
}

FragmentRecords::Ruling FragmentRecords::admit(const ParsedHeaders& fragment, uint64_t now_ns) {
  assert(fragment.fragment && fragment.fragment_length != 0);
  const uint32_t now_ms = milliseconds(now_ns);
  const DatagramKey key = DatagramKey::of(fragment);
  const uint64_t hash = flow_hash(key.tuple, hash_key_);
  Record* found = find(key, hash, now_ms);
  Record& record = found != nullptr ? *found : begin(key, hash, now_ms);
  const bool first = fragment.fragment_begin() == 0;
  switch (fit(record, fragment)) {
    case FragmentRanges::Fit::kFits:
      break;
    case FragmentRanges::Fit::kTooManyGaps:
      return dropped(DropReason::kFragmentRoom);
    case FragmentRanges::Fit::kOverlaps:
      if (!first || now_ms - record.latest_ms < kReuseMs) {
        return dropped(DropReason::kFragmentOverlap);
      }
      begin_again(record, now_ms);
  }
  if (first) {
    return admit_first(record, fragment, now_ms);
  }
  if (!record.first_seen()) {
    return hold(record, fragment, now_ns);
  }
  const DatagramFlow flow = record.flow;
  note(record, fragment, now_ms);
  return {FragmentFate::kPass, DropReason::kNone, flow, 0};
}

FragmentRecords::Ruling FragmentRecords::admit_first(Record& record, const ParsedHeaders& fragment,
                                                     uint32_t now_ms) {
  record.flow = {fragment.source_port, fragment.destination_port, fragment.protocol};
  for (RoomNumber room = record.first_guest; room != 0; room = rooms_[room].next_of_datagram) {
    remove(waiting_, room);
    --waiting_count_;
    rooms_[room].flow = record.flow;
    append(ready_, room);
  }
  record.first_guest = 0;
  record.guests = 0;
  const DatagramFlow flow = record.flow;
  note(record, fragment, now_ms);
  return {FragmentFate::kPass, DropReason::kNone, flow, 0};
}

FragmentRecords::Ruling FragmentRecords::hold(Record& record, const ParsedHeaders& fragment,
                                              uint64_t now_ns) {
  if (record.guests == kRoomsOfDatagram) {
    return dropped(DropReason::kFragmentRoom);
  }
  Ruling ruling{FragmentFate::kHold, DropReason::kNone, {}, pop(free_)};
  if (ruling.room == 0) {
    if (waiting_.first == 0) {
      return dropped(DropReason::kFragmentRoom);  // all are about to leave, and not gone yet
    }
    ruling = {FragmentFate::kDrop, DropReason::kFragmentRoom, {}, waiting_.first};
    check_out_longest(&record);
  }
  note(record, fragment, milliseconds(now_ns));
  Room& room = rooms_[ruling.room];
  room.since_ns = now_ns;
  room.record = number_of(record);
  room.next_of_datagram = 0;
  append(waiting_, ruling.room);
  ++waiting_count_;
  (record.guests == 0 ? record.first_guest : rooms_[record.last_guest].next_of_datagram) =
      ruling.room;
  record.last_guest = ruling.room;
  ++record.guests;
  return ruling;
}

// --- records

FragmentRecords::Record* FragmentRecords::find(const DatagramKey& key, uint64_t hash,
                                               uint32_t now_ms) {
  const auto set = static_cast<uint32_t>(hash % kSets);
  const uint32_t tag = tag_of_hash(hash);
  for (uint32_t way = 0; way < kWays; ++way) {
    const RecordNumber number = set * kWays + way;
    if (sets_[set].tags[way] != tag || !(records_[number].key == key)) {
      continue;
    }
    if (!is_over(records_[number], now_ms)) {
      return &records_[number];
    }
    forget(number, DropReason::kFragmentTimeout);
    return nullptr;
  }
  return nullptr;
}

FragmentRecords::Record& FragmentRecords::begin(const DatagramKey& key, uint64_t hash,
                                                uint32_t now_ms) {
  const auto number = static_cast<uint32_t>(hash % kSets);
  const Set& set = sets_[number];
  uint32_t chosen = 0;
  for (uint32_t way = 0; way < kWays && set.tags[chosen] != 0; ++way) {
    if (set.tags[way] == 0 || begun_ - set.begun_before[way] > begun_ - set.begun_before[chosen]) {
      chosen = way;
    }
  }
  const RecordNumber record = number * kWays + chosen;
  if (set.tags[chosen] != 0) {
    forget(record, DropReason::kFragmentRoom);
  }
  tag_of(record) = tag_of_hash(hash);
  records_[record].key = key;
  ++datagrams_;
  begin_again(records_[record], now_ms);
  return records_[record];
}

void FragmentRecords::begin_again(Record& record, uint32_t now_ms) {
  see_off(record, DropReason::kFragmentTimeout);
  record.ranges = {};
  record.begun_ms = now_ms;
  record.latest_ms = now_ms;
  record.total = 0;
  record.flow = {};
  const RecordNumber number = number_of(record);
  sets_[number / kWays].begun_before[number % kWays] = begun_++;
}

void FragmentRecords::forget(RecordNumber number, DropReason reason) {
  see_off(records_[number], reason);
  tag_of(number) = 0;
  --datagrams_;
}

FragmentRanges::Fit FragmentRecords::fit(const Record& record, const ParsedHeaders& fragment) {
  const uint16_t end = fragment.fragment_end();
  if (record.total != 0 && end > record.total) {
    return FragmentRanges::Fit::kOverlaps;  // beyond the last fragment
  }
  if (!fragment.more_fragments() && end < record.ranges.end()) {
    return FragmentRanges::Fit::kOverlaps;  // the last one, and others lie beyond it
  }
  const bool may_be_last_room = record.first_seen() || fragment.fragment_begin() == 0;
  return record.ranges.fit(fragment.fragment_begin(), end,
                           FragmentRanges::kCapacity - (may_be_last_room ? 0U : 1U));
}

// Of a fragment that fits and goes on, or is held.
void FragmentRecords::note(Record& record, const ParsedHeaders& fragment, uint32_t now_ms) {
  record.ranges.add(fragment.fragment_begin(), fragment.fragment_end());
  record.latest_ms = now_ms;
  if (!fragment.more_fragments()) {
    record.total = fragment.fragment_end();
  }
  if (record.total != 0 && record.ranges.are_all_of(record.total)) {
    forget(number_of(record), DropReason::kNone);  // nobody waits: the first fragment was there
  }
}

// Records whose time has come, but for those of whom somebody waits, and will have waited too long
// soon.
void FragmentRecords::sweep(uint64_t now_ns) {
  const uint32_t now_ms = milliseconds(now_ns);
  for (uint32_t i = 0; i < kSetsPerCall; ++i) {
    for (uint32_t way = 0; way < kWays; ++way) {
      const Set& set = sets_[next_set_];
      const RecordNumber number = next_set_ * kWays + way;
      if (set.tags[way] != 0 && is_over(records_[number], now_ms) && records_[number].guests == 0) {
        forget(number, DropReason::kNone);
      }
    }
    next_set_ = (next_set_ + 1) % kSets;
  }
}

}  // namespace ballast
