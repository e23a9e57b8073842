#include "control/daemon/answer_page.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace ballast::control {
namespace {

struct Cursor {
  uint64_t configuration = 0;
  uint64_t position = 0;
};

// "CONFIGURATION/POSITION"
std::optional<Cursor> parse(const std::string& text) {
  Cursor cursor;
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, cursor.configuration);
  if (first.ec != std::errc{} || first.ptr == end || *first.ptr != '/') {
    return std::nullopt;
  }
  const auto second = std::from_chars(first.ptr + 1, end, cursor.position);
  return second.ec == std::errc{} && second.ptr == end ? std::optional(cursor) : std::nullopt;
}

}  // namespace

tl::expected<AnswerPage, AnswerPage::Refusal> AnswerPage::open(bool paged,
                                                               const std::string& cursor,
                                                               uint64_t configuration) {
  if (cursor.empty()) {
    return AnswerPage(paged, configuration, 0);
  }
  const auto parsed = parse(cursor);
  if (!parsed) {
    return tl::unexpected(Refusal::kNotACursor);
  }
  if (parsed->configuration != configuration) {
    return tl::unexpected(Refusal::kOfAnotherConfiguration);
  }
  return AnswerPage(paged, configuration, parsed->position);
}

std::optional<size_t> AnswerPage::begin_service(size_t servers) {
  service_begins_ = service_ends_;
  service_ends_ += std::max<size_t>(servers, 1);
  if (next_ || from_ >= service_ends_) {
    return std::nullopt;
  }
  if (paged_ && bytes_ >= kBytes) {
    next_ = service_begins_;
    return std::nullopt;
  }
  return from_ > service_begins_ ? static_cast<size_t>(from_ - service_begins_) : 0;
}

bool AnswerPage::take(size_t server, size_t bytes) {
  if (next_) {
    return false;
  }
  if (paged_ && bytes_ > 0 && bytes_ + bytes > kBytes) {
    next_ = service_begins_ + server;
    return false;
  }
  bytes_ += bytes;
  return true;
}

std::string AnswerPage::next_cursor() const {
  return next_ ? fmt::format("{}/{}", configuration_, *next_) : std::string();
}

}  // namespace ballast::control
