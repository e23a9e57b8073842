// What changes from one configuration to another, for people to read before it happens.
//
//   ~ service "web": scheduler: rr -> wrr
//   ~ service "web": server 10.0.0.11: weight: 1 -> 5
//   + service "web": server 10.0.0.13 weight 1
//   - service "mail" mode dr, scheduler wrr
//
// Pure: the difference of the two lists of facts (facts.h), by subject and attribute; the order of
// services, servers and listeners is no difference.
#pragma once

#include <string>
#include <vector>

#include "control/config/facts.h"

namespace ballast::control {

struct Change {
  enum class Kind : uint8_t { kAdded, kRemoved, kChanged };

  Kind kind = Kind::kChanged;
  std::string subject;
  std::string attribute;  // empty: the subject as a whole, with all its attributes
  std::string before;     // empty when added
  std::string after;      // empty when removed
  std::vector<Fact>
      facts;  // of a subject that is added or removed as a whole, without its existence

  [[nodiscard]] std::string to_string() const;  // one line, as above
  friend bool operator==(const Change&, const Change&) = default;
};

// First what is removed or changed, in the order of `from`, then what is added, in the order of
// `to`.
std::vector<Change> diff(const Configuration& from, const Configuration& to);
std::vector<Change> diff(const std::vector<Fact>& from, const std::vector<Fact>& to);

// `facts` with the changes made: apply_changes(facts_of(a), diff(a, b)) are b's facts, sorted by
// subject and attribute.
std::vector<Fact> apply_changes(const std::vector<Fact>& facts, const std::vector<Change>& changes);

}  // namespace ballast::control
