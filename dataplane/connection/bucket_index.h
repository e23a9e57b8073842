// From a flow's hash to the number of its entry: a cuckoo hash table of small tags.
//
// Theory of operation
//   A bucket is one cache line: eight 16-bit tags, the eight entry numbers that belong to them, and
//   two words of bookkeeping. Tag 0 marks a free slot. The low bits of the hash choose the primary
//   bucket, its top 16 bits are the tag, and the alternative bucket is `primary ^ offset(tag)`: the
//   way back is the same operation, so that an entry is moved between its two buckets by its tag
//   alone, without reading the entry or hashing its key again.
//
//   A new entry goes to its primary bucket, else to its alternative; when both are full, a
//   breadth-first search over at most kMaxSearch buckets finds the shortest chain of moves that
//   makes room. The offset is always odd: the two buckets of an entry always differ.
//
//   Each bucket counts how many entries that have it as primary live elsewhere. As long as that is
//   zero (nearly always at half fill), a flow that is not there is known not to be there after one
//   cache line.
//
//   The index knows nothing of keys: find() asks the caller to verify each entry whose tag matches;
//   one in 8,000 lookups asks once too often.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include <emmintrin.h>

namespace ballast {

struct alignas(64) Bucket {
  static constexpr uint32_t kSlots = 8;

  uint16_t tags[kSlots];
  uint32_t entries[kSlots];
  uint32_t
      displaced;  // entries whose primary bucket is this one and that live in their alternative
  uint8_t alternative;  // bit per slot: the entry has this bucket as its alternative
  uint8_t unused[11];
};
static_assert(sizeof(Bucket) == 64);

class BucketIndex {
 public:
  // Buckets that hold `entries` at a fill of at most 80 %; a power of two, 2 at least.
  static uint32_t buckets_for(uint32_t entries);

  // Over `count` zeroed buckets (a power of two, 2 at least), which the caller owns and keeps.
  BucketIndex(Bucket* buckets, uint32_t count) : buckets_(buckets), mask_(count - 1) {}

  // Inlined by force, as all that do nothing but prefetch: g++ 12 takes such a function for one
  // without effects, and drops its calls where it was not inlined before it looks.
  [[gnu::always_inline]] void prefetch(uint64_t hash) const {
    __builtin_prefetch(&buckets_[primary_of(hash)]);
  }

  // The first entry of the primary bucket whose tag matches, not verified. 0 when there is none;
  // the alternative bucket is then prefetched, if the flow can be there or may have to go there.
  [[nodiscard, gnu::always_inline]] uint32_t candidate(uint64_t hash) const {
    const uint16_t tag = tag_of(hash);
    const uint32_t primary = primary_of(hash);
    const Bucket& bucket = buckets_[primary];
    const uint32_t matches = matches_of(bucket, tag);
    if (matches != 0) [[likely]] {
      return bucket.entries[slot_of(matches)];
    }
    if (bucket.displaced != 0 || matches_of(bucket, 0) == 0) {
      __builtin_prefetch(&buckets_[other_bucket(primary, tag)]);
    }
    return 0;
  }

  // Likewise of the alternative bucket, for a hash that has no candidate in its primary one.
  [[nodiscard]] uint32_t second_candidate(uint64_t hash) const {
    const uint32_t primary = primary_of(hash);
    if (buckets_[primary].displaced == 0) {
      return 0;
    }
    const uint16_t tag = tag_of(hash);
    const Bucket& bucket = buckets_[other_bucket(primary, tag)];
    const uint32_t matches = matches_of(bucket, tag);
    return matches != 0 ? bucket.entries[slot_of(matches)] : 0;
  }

  // The entry for which verify(entry) is true, of those whose tag matches; else 0.
  template <typename Verify>
  [[nodiscard]] uint32_t find(uint64_t hash, Verify&& verify) const {
    const uint16_t tag = tag_of(hash);
    const uint32_t primary = primary_of(hash);
    const uint32_t found = find_in(buckets_[primary], tag, verify);
    if (found != 0 || buckets_[primary].displaced == 0) {
      return found;
    }
    return find_in(buckets_[other_bucket(primary, tag)], tag, verify);
  }

  // Adds `entry` (not 0), which must not be in the index. False when no room could be made; nothing
  // is changed then.
  [[nodiscard]] bool insert(uint64_t hash, uint32_t entry);
  // Removes `entry`, which was inserted with this hash; false when it is not there.
  bool erase(uint64_t hash, uint32_t entry);

  [[nodiscard]] uint32_t bucket_count() const { return mask_ + 1; }
  [[nodiscard]] static uint16_t tag_of(uint64_t hash) {
    const auto tag = static_cast<uint16_t>(hash >> 48);
    return tag != 0 ? tag : uint16_t{1};
  }

 private:
  static constexpr uint32_t kMaxSearch = 128;  // buckets looked at to make room for one entry
  struct Place {
    uint32_t bucket;
    uint32_t slot;
  };
  struct Step;

  [[nodiscard]] uint32_t primary_of(uint64_t hash) const {
    return static_cast<uint32_t>(hash) & mask_;
  }
  // Of two buckets that an entry with this tag may live in, the one that is not `bucket`.
  [[nodiscard]] uint32_t other_bucket(uint32_t bucket, uint16_t tag) const {
    return bucket ^ (((tag * 0x9e3779b1U) | 1U) & mask_);
  }
  // Two bits per slot whose tag is `tag`.
  static uint32_t matches_of(const Bucket& bucket, uint16_t tag) {
    const __m128i tags = _mm_load_si128(reinterpret_cast<const __m128i*>(bucket.tags));
    const __m128i wanted = _mm_set1_epi16(static_cast<int16_t>(tag));
    return static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi16(tags, wanted)));
  }
  static uint32_t slot_of(uint32_t matches) {
    return static_cast<uint32_t>(std::countr_zero(matches)) / 2;
  }

  template <typename Verify>
  static uint32_t find_in(const Bucket& bucket, uint16_t tag, Verify& verify) {
    for (uint32_t matches = matches_of(bucket, tag); matches != 0;) {
      const uint32_t slot = slot_of(matches);
      if (verify(bucket.entries[slot])) {
        return bucket.entries[slot];
      }
      matches &= ~(uint32_t{3} << (2 * slot));
    }
    return 0;
  }

  void put(Place place, uint16_t tag, uint32_t entry, bool in_alternative);
  void clear(Place place);
  void move(Place from, Place to);
  bool erase_from(uint32_t bucket, uint16_t tag, uint32_t entry);
  bool make_room(uint32_t first, uint32_t second, Place& room);
  Place shift_along(const Step* steps, uint32_t last, uint32_t slot, Place room);

  Bucket* buckets_;
  uint32_t mask_;
};

}  // namespace ballast
