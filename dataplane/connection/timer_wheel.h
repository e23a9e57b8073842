// When to look at which entry: a wheel of one-second slots.
//
// Theory of operation
//   A slot is a doubly linked list, through the entries' own link fields, in the order in which
//   they were hung up. The wheel covers kSlots seconds from its base on; what is due later hangs in
//   the last of them, to be hung up again when that comes. The base follows the time, but never
//   passes an entry: a slot always stands for one second only, and first() is the entry that is due
//   first, however late the wheel is.
//
//   A bitmap of two levels (64 words and one word over them) finds the first slot that is not empty
//   in a few instructions, whatever lies between: neither an idle night nor an empty wheel costs a
//   walk.
//
//   Several wheels may share the entries; each has a number, and the entry's wheel_slot says wheel
//   and slot.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "dataplane/connection/connection.h"

namespace ballast {

struct TimerSlot {
  ConnectionIndex first;
  ConnectionIndex last;
};

class TimerWheel {
 public:
  static constexpr uint32_t kSlots = 4096;
  static constexpr uint32_t kHorizon =
      kSlots - 1;                             // seconds; the farthest that an entry can hang ahead
  static constexpr uint32_t kMaxWheels = 15;  // that can share entries
  static constexpr uint16_t kNotHung = UINT16_MAX;  // wheel_slot of an entry that hangs nowhere

  static constexpr uint32_t wheel_of(uint16_t wheel_slot) { return wheel_slot / kSlots; }

  // `slots` are kSlots zeroed ones; slots and entries belong to the caller and outlive the wheel.
  TimerWheel(uint32_t number, TimerSlot* slots, Connection* entries)
      : number_(number), slots_(slots), entries_(entries) {}

  // Hangs up an entry that hangs nowhere, for `due` or the wheel's horizon, whichever comes first.
  // `now` never runs backwards.
  void hang(ConnectionIndex entry, uint64_t due, Seconds32 now);
  // Takes down an entry that hangs in this wheel.
  void take(ConnectionIndex entry);

  [[nodiscard]] bool empty() const { return summary_ == 0; }
  // The entry that is due first, by order of hanging within a second; 0 in an empty wheel.
  [[nodiscard]] ConnectionIndex first() const { return empty() ? 0 : slots_[first_slot()].first; }
  // When it is due; not to be asked of an empty wheel.
  [[nodiscard]] Seconds32 first_due() const { return base_ + ((first_slot() - base_) & kHorizon); }
  // Lets the base follow the time as far as nothing hangs before it.
  void advance(Seconds32 now);

 private:
  [[nodiscard]] uint32_t first_slot() const {
    const uint32_t start = base_ & kHorizon;
    const uint32_t word = start / 64;
    const uint64_t here = words_[word] & (~uint64_t{0} << (start % 64));
    if (here != 0) {
      return word * 64 + static_cast<uint32_t>(std::countr_zero(here));
    }
    // Behind this word, else from the beginning of the ring: this word's lower bits come last of
    // all.
    const uint64_t behind = summary_ & (~uint64_t{1} << word);
    const auto next = static_cast<uint32_t>(std::countr_zero(behind != 0 ? behind : summary_));
    return next * 64 + static_cast<uint32_t>(std::countr_zero(words_[next]));
  }

  uint32_t number_;
  Seconds32 base_ = 0;  // all that hangs is due within [base_, base_ + kHorizon]
  TimerSlot* slots_;
  Connection* entries_;
  uint64_t summary_ = 0;                       // bit per word that is not zero
  std::array<uint64_t, kSlots / 64> words_{};  // bit per slot that is not empty
};
static_assert(TimerWheel::kSlots == 64 * 64, "one summary word over 64 words");
static_assert(TimerWheel::kMaxWheels * TimerWheel::kSlots <= TimerWheel::kNotHung);

}  // namespace ballast
