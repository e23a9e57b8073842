#include "dataplane/scheduler/maglev_table.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <limits>
#include <utility>

#include "dataplane/scheduler/maglev_hash.h"

namespace ballast {
namespace {

constexpr uint32_t kNobody = std::numeric_limits<uint32_t>::max();

size_t slots_for(size_t members) {
  if (members == 1) {
    return 1;
  }
  const size_t wanted = std::bit_ceil(members * MaglevTable::kSlotsPerServer);
  return std::max(std::clamp(wanted, MaglevTable::kUsualSlots, MaglevTable::kMostSlots),
                  std::bit_ceil(members));
}

// Who has a turn in which round, first come, first served.
class Calendar {
 public:
  Calendar(size_t rounds, size_t members) : days_(rounds + 1), next_(members, kNobody) {}

  // A turn that would come after the last round never does.
  void add(uint64_t round, uint32_t member) {
    if (round >= days_.size()) {
      return;
    }
    Day& day = days_[round];
    next_[member] = kNobody;
    (day.last == kNobody ? day.first : next_[day.last]) = member;
    day.last = member;
  }
  [[nodiscard]] uint32_t first(uint64_t round) const { return days_[round].first; }
  [[nodiscard]] uint32_t after(uint32_t member) const { return next_[member]; }

 private:
  struct Day {
    uint32_t first = kNobody;
    uint32_t last = kNobody;
  };

  std::vector<Day> days_;       // by round, from 1
  std::vector<uint32_t> next_;  // by member
};

// A preference list, where its member stands in it, and the member's credit.
struct Candidate {
  uint64_t position;
  uint64_t step;
  uint64_t weight;
  uint64_t credit;

  // Waits until the credit is enough for a turn, and pays for it; how many rounds that takes.
  uint64_t wait(uint64_t price) {
    const uint64_t rounds = credit + weight >= price ? 1 : (price - credit + weight - 1) / weight;
    credit += rounds * weight - price;
    return rounds;
  }
};

std::vector<Candidate> candidates_for(std::span<const MaglevMember> members, size_t slots,
                                      uint64_t heaviest) {
  uint64_t sum = 0;
  for (const MaglevMember& member : members) {
    sum += member.weight;
  }
  std::vector<Candidate> candidates;
  candidates.reserve(members.size());
  for (const MaglevMember& member : members) {
    const uint64_t hash = maglev_hash(member.address, member.port);
    const bool owed_little = uint64_t{member.weight} * slots < 2 * sum;
    candidates.push_back({hash & (slots - 1), (hash >> 32 | 1) & (slots - 1), member.weight,
                          owed_little ? heaviest - member.weight : 0});
  }
  return candidates;
}

class FreeSlots {
 public:
  explicit FreeSlots(size_t slots) : mask_(slots - 1), taken_((slots + 63) / 64) {}

  // The first free slot of a preference list; its position moves on beyond it. There is one.
  size_t take(Candidate& candidate) {
    while (true) {
      const uint64_t slot = candidate.position;
      candidate.position = (slot + candidate.step) & mask_;
      const uint64_t bit = uint64_t{1} << slot % 64;
      if ((taken_[slot / 64] & bit) == 0) {
        taken_[slot / 64] |= bit;
        return slot;
      }
    }
  }

 private:
  uint64_t mask_;
  std::vector<uint64_t> taken_;  // small enough to stay in the cache, unlike the table
};

std::vector<uint32_t> fill(std::span<const MaglevMember> members, size_t slots) {
  uint64_t heaviest = 0;
  for (const MaglevMember& member : members) {
    assert(member.weight > 0 && member.weight <= 65535);
    heaviest = std::max<uint64_t>(heaviest, member.weight);
  }
  std::vector<Candidate> candidates = candidates_for(members, slots, heaviest);
  Calendar calendar(slots, members.size());  // the heaviest takes a slot in every round
  for (uint32_t member = 0; member < members.size(); ++member) {
    calendar.add(candidates[member].wait(heaviest), member);
  }
  std::vector<uint32_t> table(slots);
  FreeSlots free(slots);
  size_t left = slots;
  for (uint64_t round = 1; left > 0; ++round) {
    for (uint32_t member = calendar.first(round); member != kNobody && left > 0;) {
      table[free.take(candidates[member])] = member;
      --left;
      const uint32_t next = calendar.after(member);
      calendar.add(round + candidates[member].wait(heaviest), member);
      member = next;
    }
  }
  return table;
}

}  // namespace

MaglevTable::MaglevTable(std::vector<MaglevMember> members)
    : members_(std::move(members)),
      slots_(fill(members_, slots_for(members_.size()))),
      mask_(slots_.size() - 1) {}

}  // namespace ballast
