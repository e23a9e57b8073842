#include "dataplane/connection/timer_wheel.h"

#include <algorithm>
#include <cassert>

namespace ballast {

void TimerWheel::hang(ConnectionIndex entry, uint64_t due, Seconds32 now) {
  Connection& connection = entries_[entry];
  assert(connection.wheel_slot == kNotHung);
  if (due > uint64_t{base_} + kHorizon || empty()) {
    advance(now);
  }
  due = std::clamp(due, uint64_t{base_}, uint64_t{base_} + kHorizon);
  const uint32_t position = static_cast<uint32_t>(due) & kHorizon;
  TimerSlot& slot = slots_[position];
  connection.wheel_slot = static_cast<uint16_t>(number_ * kSlots + position);
  connection.wheel_next = 0;
  connection.wheel_previous = slot.last;
  if (slot.last != 0) {
    entries_[slot.last].wheel_next = entry;
  } else {
    slot.first = entry;
    words_[position / 64] |= uint64_t{1} << (position % 64);
    summary_ |= uint64_t{1} << (position / 64);
  }
  slot.last = entry;
}

void TimerWheel::take(ConnectionIndex entry) {
  Connection& connection = entries_[entry];
  assert(wheel_of(connection.wheel_slot) == number_);
  const uint32_t position = connection.wheel_slot & kHorizon;
  TimerSlot& slot = slots_[position];
  if (connection.wheel_next != 0) {
    entries_[connection.wheel_next].wheel_previous = connection.wheel_previous;
  } else {
    slot.last = connection.wheel_previous;
  }
  if (connection.wheel_previous != 0) {
    entries_[connection.wheel_previous].wheel_next = connection.wheel_next;
  } else {
    slot.first = connection.wheel_next;
  }
  if (slot.first == 0) {
    words_[position / 64] &= ~(uint64_t{1} << (position % 64));
    if (words_[position / 64] == 0) {
      summary_ &= ~(uint64_t{1} << (position / 64));
    }
  }
  connection.wheel_next = 0;
  connection.wheel_previous = 0;
  connection.wheel_slot = kNotHung;
}

void TimerWheel::advance(Seconds32 now) {
  base_ = empty() ? now : std::max(base_, std::min(now, first_due()));
}

}  // namespace ballast
