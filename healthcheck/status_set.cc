#include "healthcheck/status_set.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "healthcheck/printable.h"

namespace ballast::healthcheck {
namespace {

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) {
    return {};
  }
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

tl::expected<int, std::string> parse_status(std::string_view text) {
  const std::string_view digits = trimmed(text);
  if (digits.empty()) {
    return tl::unexpected(
        std::string("a status is missing; write statuses and ranges, as \"200-299,301\""));
  }
  int status = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), status);
  const bool is_number = error == std::errc() && end == digits.data() + digits.size() &&
                         digits.front() != '-' && digits.size() == 3;
  if (!is_number || status < StatusSet::kLowest || status > StatusSet::kHighest) {
    return tl::unexpected(fmt::format("\"{}\" is not an HTTP status ({}-{})", printable(digits),
                                      StatusSet::kLowest, StatusSet::kHighest));
  }
  return status;
}

}  // namespace

StatusSet::StatusSet() {
  for (int status = 200; status <= 299; ++status) {
    statuses_.set(static_cast<size_t>(status - kLowest));
  }
}

StatusSet StatusSet::none() {
  StatusSet set;
  set.statuses_.reset();
  return set;
}

tl::expected<StatusSet, std::string> StatusSet::parse(std::string_view text) {
  StatusSet set = none();
  for (size_t begin = 0; begin <= text.size();) {
    const size_t comma = std::min(text.find(',', begin), text.size());
    const std::string_view item = text.substr(begin, comma - begin);
    const size_t dash = item.find('-');
    const auto first = parse_status(item.substr(0, dash));
    if (!first) {
      return tl::unexpected(first.error());
    }
    const auto last = dash == std::string_view::npos ? first : parse_status(item.substr(dash + 1));
    if (!last) {
      return tl::unexpected(last.error());
    }
    if (*last < *first) {
      return tl::unexpected(
          fmt::format("the range {}-{} is backwards; write {}-{}", *first, *last, *last, *first));
    }
    for (int status = *first; status <= *last; ++status) {
      set.statuses_.set(static_cast<size_t>(status - kLowest));
    }
    begin = comma + 1;
  }
  return set;
}

bool StatusSet::contains(int status) const {
  return status >= kLowest && status <= kHighest &&
         statuses_.test(static_cast<size_t>(status - kLowest));
}

std::string StatusSet::to_string() const {
  std::string text;
  for (int first = kLowest; first <= kHighest; ++first) {
    if (!contains(first)) {
      continue;
    }
    int last = first;
    while (contains(last + 1)) {
      ++last;
    }
    text += fmt::format("{}{}", text.empty() ? "" : ",", first);
    if (last != first) {
      text += fmt::format("-{}", last);
    }
    first = last;
  }
  return text;
}

}  // namespace ballast::healthcheck
