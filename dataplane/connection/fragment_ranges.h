// Which bytes of a datagram have been seen: a few ranges, none of which touches another.
#pragma once

#include <cstdint>

namespace ballast {

// Zeroed memory is an empty set of ranges.
class FragmentRanges {
 public:
  static constexpr uint32_t kCapacity = 16;

  enum class Fit : uint8_t { kFits, kOverlaps, kTooManyGaps };

  // Whether [begin, end), which is not empty, can be added. More than `limit` ranges are too many.
  [[nodiscard]] Fit fit(uint16_t begin, uint16_t end, uint32_t limit) const {
    const Place place = place_of(begin, end);
    if (place.overlaps) {
      return Fit::kOverlaps;
    }
    return place.joins_left || place.joins_right || count_ < limit ? Fit::kFits : Fit::kTooManyGaps;
  }

  // Adds what fit() has found to fit.
  void add(uint16_t begin, uint16_t end) {
    const Place place = place_of(begin, end);
    if (place.joins_left && place.joins_right) {
      ranges_[place.at - 1].end = ranges_[place.at].end;
      --count_;
      for (uint32_t i = place.at; i < count_; ++i) {
        ranges_[i] = ranges_[i + 1];
      }
    } else if (place.joins_left) {
      ranges_[place.at - 1].end = end;
    } else if (place.joins_right) {
      ranges_[place.at].begin = begin;
    } else {
      for (uint32_t i = count_; i > place.at; --i) {
        ranges_[i] = ranges_[i - 1];
      }
      ranges_[place.at] = {begin, end};
      ++count_;
    }
  }

  // The end of the last range; 0 when there is none.
  [[nodiscard]] uint16_t end() const { return count_ == 0 ? uint16_t{0} : ranges_[count_ - 1].end; }
  [[nodiscard]] bool have_the_first_byte() const { return count_ != 0 && ranges_[0].begin == 0; }
  // Whether all of [0, total) has been seen.
  [[nodiscard]] bool are_all_of(uint16_t total) const {
    return count_ == 1 && ranges_[0].begin == 0 && ranges_[0].end == total;
  }
  [[nodiscard]] uint32_t count() const { return count_; }

 private:
  struct Range {
    uint16_t begin;
    uint16_t end;
  };
  struct Place {
    uint32_t at = 0;  // of the first range that begins no earlier
    bool overlaps = false;
    bool joins_left = false;
    bool joins_right = false;
  };

  [[nodiscard]] Place place_of(uint16_t begin, uint16_t end) const {
    Place place;
    while (place.at < count_ && ranges_[place.at].begin < begin) {
      ++place.at;
    }
    const Range* left = place.at != 0 ? &ranges_[place.at - 1] : nullptr;
    const Range* right = place.at != count_ ? &ranges_[place.at] : nullptr;
    place.overlaps =
        (left != nullptr && left->end > begin) || (right != nullptr && right->begin < end);
    place.joins_left = left != nullptr && left->end == begin;
    place.joins_right = right != nullptr && right->begin == end;
    return place;
  }

  Range ranges_[kCapacity];
  uint8_t count_;
};

}  // namespace ballast
