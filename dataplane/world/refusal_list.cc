#include "dataplane/world/refusal_list.h"

#include <utility>

#include <fmt/format.h>

namespace ballast {

void RefusalList::add(const std::string& what, const std::string& why) {
  ++total_;
  if (listed_.size() < kMaxListed) {
    api::Refusal& refusal = listed_.emplace_back();
    refusal.set_what(what);
    refusal.set_why(why);
  }
}

std::vector<api::Refusal> RefusalList::take() {
  if (total_ > listed_.size()) {
    listed_.back().set_what("transaction");
    listed_.back().set_why(
        fmt::format("{} more refusals are not listed", total_ - listed_.size() + 1));
  }
  return std::exchange(listed_, {});
}

}  // namespace ballast
