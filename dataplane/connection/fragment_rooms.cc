// The rooms in which fragments wait for the first of their datagram, and out of which they go.
#include <cassert>

#include "dataplane/connection/fragment_records.h"

namespace ballast {

void FragmentRecords::expire(uint64_t now_ns) {
  while (waiting_.first != 0 && now_ns - rooms_[waiting_.first].since_ns >= kPatienceNs) {
    see_off_longest();
  }
  sweep(now_ns);
}

void FragmentRecords::give_up() {
  while (waiting_.first != 0) {
    see_off_longest();
  }
}

FragmentRecords::Ready FragmentRecords::pop_ready() {
  const RoomNumber room = pop(ready_);
  if (room == 0) {
    return {};
  }
  append(free_, room);
  return {room, rooms_[room].flow};
}

FragmentRecords::Leaving FragmentRecords::pop_leaving() {
  const RoomNumber room = pop(leaving_);
  if (room == 0) {
    return {};
  }
  append(free_, room);
  return {room, rooms_[room].reason};
}

// Takes the one who has waited longest out of the list and its datagram, of which it is the first
// guest. A record from which nobody has passed and nobody waits is forgotten, unless it is `but`.
FragmentRecords::RoomNumber FragmentRecords::check_out_longest(const Record* but) {
  const RoomNumber number = pop(waiting_);
  --waiting_count_;
  Record& record = records_[rooms_[number].record];
  assert(record.first_guest == number && !record.first_seen());
  record.first_guest = rooms_[number].next_of_datagram;
  --record.guests;
  if (record.guests == 0 && &record != but) {
    forget(rooms_[number].record, DropReason::kNone);
  }
  return number;
}

void FragmentRecords::see_off_longest() {
  const RoomNumber room = check_out_longest(nullptr);
  rooms_[room].reason = DropReason::kFragmentTimeout;
  append(leaving_, room);
}

// All guests of a datagram give up.
void FragmentRecords::see_off(Record& record, DropReason reason) {
  for (RoomNumber room = record.first_guest; room != 0; room = rooms_[room].next_of_datagram) {
    remove(waiting_, room);
    --waiting_count_;
    rooms_[room].reason = reason;
    append(leaving_, room);
  }
  record.first_guest = 0;
  record.guests = 0;
}

void FragmentRecords::append(RoomList& list, RoomNumber number) {
  Room& room = rooms_[number];
  room.previous = list.last;
  room.next = 0;
  (list.last == 0 ? list.first : rooms_[list.last].next) = number;
  list.last = number;
}

void FragmentRecords::remove(RoomList& list, RoomNumber number) {
  const Room& room = rooms_[number];
  (room.previous == 0 ? list.first : rooms_[room.previous].next) = room.next;
  (room.next == 0 ? list.last : rooms_[room.next].previous) = room.previous;
}

FragmentRecords::RoomNumber FragmentRecords::pop(RoomList& list) {
  const RoomNumber number = list.first;
  if (number != 0) {
    remove(list, number);
  }
  return number;
}

}  // namespace ballast
