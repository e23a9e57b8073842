// What FragmentTable knows of datagrams and of the rooms in which fragments wait, without the
// fragments themselves. Its theory of operation is in fragment_table.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/connection/fragment_ranges.h"
#include "dataplane/connection/table_memory.h"
#include "dataplane/packet/byte_order.h"
#include "dataplane/packet/datagram_key.h"
#include "dataplane/packet/drop_reason.h"
#include "dataplane/packet/flow_key.h"
#include "dataplane/packet/numbers.h"
#include "dataplane/packet/parser.h"

namespace ballast {

// What a first fragment says about all of its datagram. Ports are 0 where the protocol has none.
// The protocol of an IPv6 datagram is not always what its later fragments name (RFC 8200 section
// 4.5).
struct DatagramFlow {
  Big16 source_port;
  Big16 destination_port;
  IpProtocol protocol{};

  friend bool operator==(const DatagramFlow&, const DatagramFlow&) = default;
};

enum class FragmentFate : uint8_t {
  kPass,  // it belongs to `flow`
  kHold,  // it is kept until the first fragment comes
  kDrop,  // for `reason`
};

class FragmentRecords {
 public:
  using RoomNumber = uint16_t;  // 1..kRooms; 0 is none

  static constexpr uint32_t kDatagrams = 4096;
  static constexpr uint16_t kRooms = 256;
  static constexpr uint32_t kRoomsOfDatagram = 16;
  static constexpr uint64_t kPatienceNs = 500'000'000;
  static constexpr uint32_t kLifeMs = 2000;
  static constexpr uint32_t kReuseMs = 500;

  struct Ruling {
    FragmentFate fate = FragmentFate::kDrop;
    DropReason reason = DropReason::kNone;
    DatagramFlow flow;
    // Not 0: the fragment is kept there. With kDrop it takes the room of another, which is the one
    // to be dropped.
    RoomNumber room = 0;
  };

  FragmentRecords(const FlowHashKey& hash_key, TableMemory& memory);

  Ruling admit(const ParsedHeaders& fragment, uint64_t now_ns);
  // To be called at least every few milliseconds: ends the waiting of those who have waited too
  // long, and looks at a few records.
  void expire(uint64_t now_ns);
  // Ends the waiting of all.
  void give_up();

  // Those who wait no more, one at a time: what is said of the first, and its room given back.
  struct Ready {
    RoomNumber room = 0;  // 0: nobody
    DatagramFlow flow;
  };
  Ready pop_ready();
  struct Leaving {
    RoomNumber room = 0;  // 0: nobody
    DropReason reason = DropReason::kNone;
  };
  Leaving pop_leaving();

  [[nodiscard]] uint32_t datagrams() const { return datagrams_; }
  [[nodiscard]] uint32_t waiting() const { return waiting_count_; }
  [[nodiscard]] size_t memory_bytes() const { return memory_bytes_; }

 private:
  using RecordNumber = uint32_t;

  static constexpr uint32_t kWays = 8;
  static constexpr uint32_t kSets = kDatagrams / kWays;
  static constexpr uint32_t kSetsPerCall = 4;  // that expire() looks at
  static_assert((kSets & (kSets - 1)) == 0);

  // One cache line says which record may be meant, and which is the oldest: how many records had
  // begun before each. (A burst has one time, so that times would not tell.)
  struct alignas(64) Set {
    uint32_t tags[kWays];  // of the hash; 0: free
    uint32_t begun_before[kWays];
  };
  static_assert(sizeof(Set) == 64);

  struct alignas(64) Record {
    DatagramKey key;
    FragmentRanges ranges;
    uint32_t begun_ms;
    uint32_t latest_ms;      // when a fragment was accepted last
    uint16_t total;          // bytes of the datagram, where the last fragment has said so; else 0
    RoomNumber first_guest;  // 0: none
    RoomNumber last_guest;   // where there is a first
    DatagramFlow flow;       // once the first fragment has been seen
    uint8_t guests;

    [[nodiscard]] bool first_seen() const { return ranges.have_the_first_byte(); }
  };
  static_assert(sizeof(Record) == 128);

  // Every room is in one of four lists.
  struct Room {
    uint64_t since_ns;
    RecordNumber record;  // of whoever waits
    RoomNumber previous;
    RoomNumber next;
    RoomNumber next_of_datagram;
    DatagramFlow flow;  // of whoever is ready
    DropReason reason;  // of whoever leaves
  };
  struct RoomList {
    RoomNumber first = 0;
    RoomNumber last = 0;
  };

  // --- records
  [[nodiscard]] Record* find(const DatagramKey& key, uint64_t hash, uint32_t now_ms);
  Record& begin(const DatagramKey& key, uint64_t hash, uint32_t now_ms);
  void begin_again(Record& record, uint32_t now_ms);
  void forget(RecordNumber number, DropReason reason);
  [[nodiscard]] uint32_t& tag_of(RecordNumber number) {
    return sets_[number / kWays].tags[number % kWays];
  }
  [[nodiscard]] RecordNumber number_of(const Record& record) const {
    return static_cast<RecordNumber>(&record - records_.get());
  }
  [[nodiscard]] static FragmentRanges::Fit fit(const Record& record, const ParsedHeaders& fragment);
  void note(Record& record, const ParsedHeaders& fragment, uint32_t now_ms);
  [[nodiscard]] static bool is_over(const Record& record, uint32_t now_ms) {
    return now_ms - record.begun_ms >= kLifeMs;
  }
  Ruling admit_first(Record& record, const ParsedHeaders& fragment, uint32_t now_ms);
  Ruling hold(Record& record, const ParsedHeaders& fragment, uint64_t now_ns);
  void sweep(uint64_t now_ns);

  // --- rooms
  void append(RoomList& list, RoomNumber number);
  void remove(RoomList& list, RoomNumber number);
  RoomNumber pop(RoomList& list);
  RoomNumber check_out_longest(const Record* but);
  void see_off_longest();
  void see_off(Record& record, DropReason reason);

  const FlowHashKey hash_key_;
  size_t memory_bytes_ = 0;
  TableBlock<Set> sets_;
  TableBlock<Record> records_;
  TableBlock<Room> rooms_;  // [1..kRooms]
  RoomList free_;
  RoomList waiting_;  // in order of arrival
  RoomList ready_;
  RoomList leaving_;
  uint32_t datagrams_ = 0;
  uint32_t begun_ = 0;  // records, counted
  uint32_t waiting_count_ = 0;
  uint32_t next_set_ = 0;  // to be looked at by sweep()
};

}  // namespace ballast
