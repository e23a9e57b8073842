#include "control/daemon/describe_change.h"

#include <fmt/format.h>

namespace ballast::control {
namespace {

// "mode dr, scheduler wrr": what a whole subject has beyond the defaults.
std::string attributes_of(const Change& change) {
  std::string text;
  for (const Fact& fact : change.facts) {
    if (!fact.is_default) {
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", fact.attribute, fact.value);
    }
  }
  return text;
}

}  // namespace

api::Change describe(const Change& change) {
  api::Change described;
  described.set_what(change.attribute.empty()
                         ? change.subject
                         : fmt::format("{}: {}", change.subject, change.attribute));
  switch (change.kind) {
    case Change::Kind::kAdded:
      described.set_kind(api::Change::ADDED);
      described.set_to(change.attribute.empty() ? attributes_of(change) : change.after);
      break;
    case Change::Kind::kRemoved:
      described.set_kind(api::Change::REMOVED);
      described.set_from(change.attribute.empty() ? attributes_of(change) : change.before);
      break;
    case Change::Kind::kChanged:
      described.set_kind(api::Change::CHANGED);
      described.set_from(change.before);
      described.set_to(change.after);
      break;
  }
  return described;
}

}  // namespace ballast::control
