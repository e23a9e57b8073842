// Fragments find the ports of their datagram. One worker's; single-threaded.
//
// Theory of operation
//   Only the first fragment of a datagram has ports. It leaves a record of them, by which the later
//   ones pass. Nothing is put together again: fragments go on one by one, as they came. A later
//   fragment that comes before the first is held until the first has come, for 500 ms at most.
//
//   What passes of a datagram never overlaps. Who is the second to carry a byte is dropped (RFC
//   5722, RFC 1858, RFC 3128), an exact duplicate too, and so is who says another end of the
//   datagram than is known, or lies beyond it. The others of the datagram go on: whoever put them
//   together sees no contradiction, and a stranger who guesses an identification ends no datagram
//   by it.
//
//   A record ends
//     - when all bytes of the datagram have been seen: its identification is free at once;
//     - two seconds after it began;
//     - when its set is full and it is the oldest there: a flood of new datagrams shortens the time
//       in which the fragments of one have to arrive, and refuses nobody;
//     - when nobody of it has passed, and the last one who waited has given up;
//     - when a first fragment comes that does not fit, 500 ms after anything of it that did: it is
//       another datagram under the same identification: IPv4 has 65,536 of them for a pair of hosts
//       and a protocol, and a fast sender is through with them in less than two seconds (RFC 4963
//       section 3; 0.8 s at 10 Gbit/s in datagrams of 16,000 bytes). Were it held to be an overlap,
//       one lost fragment would cost the next datagram too. Sooner it is an overlap: duplicates
//       arrive within milliseconds of what they repeat. What a host that still keeps the former
//       datagram makes of the two is its own affair; it keeps them for longer than any record
//       lives.
//
//   Bounds. Each fragment costs a constant time. 4096 records in sets of 8, found by a keyed hash,
//   so that nobody can choose datagrams that meet in one set. 256 fragments wait at most, 16 of a
//   datagram; when all rooms are taken, who has waited longest is dropped for who comes. A flood
//   would hold on to every room until its patience ends; this way it has to be faster than the
//   first fragment of an honest datagram is late. The bytes seen of a datagram are kept as at most
//   16 ranges; who would need another is dropped (kFragmentRoom); the last one is for the first
//   fragment, so that it is never refused for the disorder behind it.
//
// Memory: taken once, at construction: 550 KB, and 256 guests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "dataplane/connection/fragment_records.h"
#include "dataplane/connection/table_memory.h"
#include "dataplane/packet/drop_reason.h"
#include "dataplane/packet/flow_key.h"
#include "dataplane/packet/parser.h"

namespace ballast {

struct FragmentAnswer {
  FragmentFate fate = FragmentFate::kDrop;
  DropReason reason = DropReason::kNone;  // of kDrop
  DatagramFlow flow;                      // of kPass
};

// `Guest`: what is held of a fragment, a value without a destructor.
template <typename Guest>
class FragmentTable {
  static_assert(std::is_trivially_copyable_v<Guest>);

 public:
  explicit FragmentTable(const FlowHashKey& hash_key, TableMemory& memory = process_memory())
      : records_(hash_key, memory),
        guests_(take_block<Guest>(memory, FragmentRecords::kRooms + 1U, guest_bytes_)) {}

  // What becomes of a fragment (`fragment.fragment` is set). kHold: the table keeps `guest`, until
  // one of the functions below gives it back. kDrop: `guest` is who is to be dropped: the one
  // given, or the one that had to make room for it. `now_ns` never runs backwards.
  FragmentAnswer admit(const ParsedHeaders& fragment, Guest& guest, uint64_t now_ns) {
    const FragmentRecords::Ruling ruling = records_.admit(fragment, now_ns);
    if (ruling.room != 0) {
      std::swap(guest, guests_[ruling.room]);
    }
    return {ruling.fate, ruling.reason, ruling.flow};
  }

  // Those whose first fragment has come since, to `see_off(guest, flow)`: a datagram's in order of
  // their arrival. They have been admitted: they go on as if kPass had been said.
  template <typename SeeOff>
  void take_ready(SeeOff&& see_off) {
    for (auto ready = records_.pop_ready(); ready.room != 0; ready = records_.pop_ready()) {
      Guest guest = guests_[ready.room];
      see_off(guest, ready.flow);
    }
  }

  // Those who have waited too long (kFragmentTimeout), or whose datagram was pushed out
  // (kFragmentRoom), to `see_off(guest, reason)`. To be called at least every few milliseconds.
  template <typename SeeOff>
  void take_expired(uint64_t now_ns, SeeOff&& see_off) {
    records_.expire(now_ns);
    for (auto gone = records_.pop_leaving(); gone.room != 0; gone = records_.pop_leaving()) {
      Guest guest = guests_[gone.room];
      see_off(guest, gone.reason);
    }
  }

  // All who are held, to `see_off(guest)`, at the end of the program.
  template <typename SeeOff>
  void drain(SeeOff&& see_off) {
    records_.give_up();
    take_ready([&](Guest& guest, const DatagramFlow&) { see_off(guest); });
    for (auto gone = records_.pop_leaving(); gone.room != 0; gone = records_.pop_leaving()) {
      Guest guest = guests_[gone.room];
      see_off(guest);
    }
  }

  [[nodiscard]] uint32_t datagrams() const { return records_.datagrams(); }
  // Those that are held for want of their first fragment.
  [[nodiscard]] uint32_t waiting() const { return records_.waiting(); }
  [[nodiscard]] size_t memory_bytes() const { return records_.memory_bytes() + guest_bytes_; }

 private:
  FragmentRecords records_;
  size_t guest_bytes_ = 0;
  TableBlock<Guest> guests_;  // by room
};

}  // namespace ballast
