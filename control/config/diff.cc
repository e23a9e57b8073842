#include "control/config/diff.h"

#include <map>
#include <string_view>

#include <fmt/format.h>

namespace ballast::control {
namespace {

// Facts by subject, then by attribute; the views and pointers are into a list that outlives this.
using Attributes = std::map<std::string_view, const Fact*>;
using Subjects = std::map<std::string_view, Attributes>;

Subjects index_of(const std::vector<Fact>& facts) {
  Subjects result;
  for (const Fact& fact : facts) {
    result[fact.subject][fact.attribute] = &fact;
  }
  return result;
}

const Fact* find(const Subjects& subjects, const Fact& wanted) {
  const auto subject = subjects.find(wanted.subject);
  if (subject == subjects.end()) {
    return nullptr;
  }
  const auto fact = subject->second.find(wanted.attribute);
  return fact != subject->second.end() ? fact->second : nullptr;
}

// Goes through the facts on one side, and reports those that the other side has not; changed ones
// on request.
class OneSide {
 public:
  OneSide(Change::Kind kind, const Subjects& other, std::vector<Change>& changes)
      : kind_(kind), other_(other), changes_(changes) {}

  void run(const std::vector<Fact>& facts) {
    bool whole = false;  // the subject as a whole is on this side only
    for (const Fact& fact : facts) {
      if (fact.attribute.empty()) {
        whole = !other_.contains(fact.subject);
        if (whole) {
          changes_.push_back({kind_, fact.subject, "", "", "", {}});
        }
      } else if (whole) {
        changes_.back().facts.push_back(fact);
      } else {
        compare(fact);
      }
    }
  }

 private:
  void compare(const Fact& fact) {
    const Fact* counterpart = find(other_, fact);
    if (counterpart == nullptr) {
      const bool added = kind_ == Change::Kind::kAdded;
      changes_.push_back({kind_,
                          fact.subject,
                          fact.attribute,
                          added ? "" : fact.value,
                          added ? fact.value : "",
                          {}});
    } else if (kind_ == Change::Kind::kRemoved && counterpart->value != fact.value) {
      changes_.push_back({Change::Kind::kChanged,
                          fact.subject,
                          fact.attribute,
                          fact.value,
                          counterpart->value,
                          {}});
    }
  }

  Change::Kind kind_;
  const Subjects& other_;
  std::vector<Change>& changes_;
};

}  // namespace

std::string Change::to_string() const {
  if (kind == Kind::kChanged) {
    return fmt::format("~ {}: {}: {} -> {}", subject, attribute, before, after);
  }
  const std::string_view sign = kind == Kind::kAdded ? "+" : "-";
  if (!attribute.empty()) {
    return fmt::format("{} {}: {} {}", sign, subject, attribute,
                       kind == Kind::kAdded ? after : before);
  }
  std::string result = fmt::format("{} {}", sign, subject);
  std::string_view separator = " ";
  for (const Fact& fact : facts) {
    if (!fact.is_default) {
      result += fmt::format("{}{} {}", separator, fact.attribute, fact.value);
      separator = ", ";
    }
  }
  return result;
}

std::vector<Change> diff(const std::vector<Fact>& from, const std::vector<Fact>& to) {
  std::vector<Change> changes;
  const Subjects from_index = index_of(from);
  const Subjects to_index = index_of(to);
  OneSide(Change::Kind::kRemoved, to_index, changes).run(from);
  OneSide(Change::Kind::kAdded, from_index, changes).run(to);
  return changes;
}

std::vector<Change> diff(const Configuration& from, const Configuration& to) {
  return diff(facts_of(from), facts_of(to));
}

std::vector<Fact> apply_changes(const std::vector<Fact>& facts,
                                const std::vector<Change>& changes) {
  std::map<std::string, std::map<std::string, std::string>> state;
  for (const Fact& fact : facts) {
    state[fact.subject][fact.attribute] = fact.value;
  }
  for (const Change& change : changes) {
    if (!change.attribute.empty()) {
      if (change.kind == Change::Kind::kRemoved) {
        state[change.subject].erase(change.attribute);
      } else {
        state[change.subject][change.attribute] = change.after;
      }
    } else if (change.kind == Change::Kind::kRemoved) {
      state.erase(change.subject);
    } else {
      auto& attributes = state[change.subject];
      attributes[""] = "";
      for (const Fact& fact : change.facts) {
        attributes[fact.attribute] = fact.value;
      }
    }
  }
  std::vector<Fact> result;
  for (const auto& [subject, attributes] : state) {
    for (const auto& [attribute, value] : attributes) {
      result.push_back({subject, attribute, value, false});
    }
  }
  return result;
}

}  // namespace ballast::control
