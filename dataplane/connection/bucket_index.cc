#include "dataplane/connection/bucket_index.h"

#include <algorithm>
#include <array>
#include <cassert>

namespace ballast {

// One bucket of the search for room: which full bucket it is, and the slot of which earlier one led
// to it.
struct BucketIndex::Step {
  static constexpr uint32_t kRoot = UINT32_MAX;

  uint32_t bucket;
  uint32_t parent;       // position of the step that led here, or kRoot
  uint32_t parent_slot;  // its entry may move here
};

uint32_t BucketIndex::buckets_for(uint32_t entries) {
  const uint64_t slots = (uint64_t{entries} * 5 + 3) / 4;
  const uint64_t buckets = (slots + Bucket::kSlots - 1) / Bucket::kSlots;
  return static_cast<uint32_t>(std::bit_ceil(std::max<uint64_t>(buckets, 2)));
}

bool BucketIndex::insert(uint64_t hash, uint32_t entry) {
  assert(entry != 0);
  const uint16_t tag = tag_of(hash);
  const uint32_t primary = primary_of(hash);
  if (const uint32_t free = matches_of(buckets_[primary], 0); free != 0) {
    put({primary, slot_of(free)}, tag, entry, false);
    return true;
  }
  const uint32_t alternative = other_bucket(primary, tag);
  if (const uint32_t free = matches_of(buckets_[alternative], 0); free != 0) {
    put({alternative, slot_of(free)}, tag, entry, true);
    return true;
  }
  Place room{};
  if (!make_room(primary, alternative, room)) {
    return false;
  }
  put(room, tag, entry, room.bucket == alternative);
  return true;
}

bool BucketIndex::erase(uint64_t hash, uint32_t entry) {
  const uint16_t tag = tag_of(hash);
  const uint32_t primary = primary_of(hash);
  return erase_from(primary, tag, entry) || erase_from(other_bucket(primary, tag), tag, entry);
}

bool BucketIndex::erase_from(uint32_t bucket, uint16_t tag, uint32_t entry) {
  for (uint32_t matches = matches_of(buckets_[bucket], tag); matches != 0;) {
    const uint32_t slot = slot_of(matches);
    if (buckets_[bucket].entries[slot] == entry) {
      clear({bucket, slot});
      return true;
    }
    matches &= ~(uint32_t{3} << (2 * slot));
  }
  return false;
}

void BucketIndex::put(Place place, uint16_t tag, uint32_t entry, bool in_alternative) {
  Bucket& bucket = buckets_[place.bucket];
  assert(bucket.tags[place.slot] == 0);
  bucket.tags[place.slot] = tag;
  bucket.entries[place.slot] = entry;
  if (in_alternative) {
    bucket.alternative = static_cast<uint8_t>(bucket.alternative | (1U << place.slot));
    ++buckets_[other_bucket(place.bucket, tag)].displaced;
  }
}

void BucketIndex::clear(Place place) {
  Bucket& bucket = buckets_[place.bucket];
  const uint32_t bit = 1U << place.slot;
  if ((bucket.alternative & bit) != 0) {
    bucket.alternative = static_cast<uint8_t>(bucket.alternative & ~bit);
    --buckets_[other_bucket(place.bucket, bucket.tags[place.slot])].displaced;
  }
  bucket.tags[place.slot] = 0;
  bucket.entries[place.slot] = 0;
}

void BucketIndex::move(Place from, Place to) {
  const Bucket& source = buckets_[from.bucket];
  const uint16_t tag = source.tags[from.slot];
  const uint32_t entry = source.entries[from.slot];
  const bool was_in_alternative = ((source.alternative >> from.slot) & 1U) != 0;
  assert(other_bucket(from.bucket, tag) == to.bucket);
  clear(from);
  put(to, tag, entry, !was_in_alternative);
}

// Breadth first, so that the chain of moves is the shortest there is. A bucket is entered once
// only: a chain that came back to a slot would move another entry than it was planned for.
bool BucketIndex::make_room(uint32_t first, uint32_t second, Place& room) {
  std::array<Step, kMaxSearch> steps;
  steps[0] = {first, Step::kRoot, 0};
  steps[1] = {second, Step::kRoot, 0};
  uint32_t count = 2;
  for (uint32_t current = 0; current < count; ++current) {
    const Bucket& bucket = buckets_[steps[current].bucket];
    for (uint32_t slot = 0; slot < Bucket::kSlots; ++slot) {
      const uint32_t target = other_bucket(steps[current].bucket, bucket.tags[slot]);
      if (const uint32_t free = matches_of(buckets_[target], 0); free != 0) {
        room = shift_along(steps.data(), current, slot, {target, slot_of(free)});
        return true;
      }
      const auto known = [target](const Step& step) { return step.bucket == target; };
      if (count < kMaxSearch && std::none_of(steps.begin(), steps.begin() + count, known)) {
        steps[count++] = {target, current, slot};
      }
    }
  }
  return false;
}

// Moves the entry of `slot` in step `last` into `room`, its parent's into the slot that this frees,
// and so on; the slot that is free in the end, in one of the two buckets that the search began
// with.
BucketIndex::Place BucketIndex::shift_along(const Step* steps, uint32_t last, uint32_t slot,
                                            Place room) {
  while (true) {
    const Place from{steps[last].bucket, slot};
    move(from, room);
    room = from;
    if (steps[last].parent == Step::kRoot) {
      return room;
    }
    slot = steps[last].parent_slot;
    last = steps[last].parent;
  }
}

}  // namespace ballast
