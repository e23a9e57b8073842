#include "toml_reader/toml_bounds.h"

#include <fmt/format.h>

namespace ballast {
namespace {

class Scanner {
 public:
  Scanner(std::string_view text, const TomlBounds& bounds) : text_(text), bounds_(bounds) {}

  std::optional<TomlExcess> scan() {
    constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
    if (text_.starts_with(kByteOrderMark)) {
      at_ = kByteOrderMark.size();
      line_start_ = at_;
    }
    while (at_ < text_.size()) {
      switch (text_[at_]) {
        case '#':
          skip_comment();
          continue;
        case '"':
        case '\'':
          skip_string(text_[at_]);
          continue;
        default:
          if (static_cast<unsigned char>(text_[at_]) >= 0x80) {
            return excess("syntax error: a character beyond ASCII outside of quotes and comments");
          }
          count(text_[at_]);
      }
      if (nesting_ > bounds_.nesting) {
        return excess(fmt::format("values are nested more than {} deep", bounds_.nesting));
      }
      if (dots_ >= bounds_.key_parts) {
        return excess(fmt::format("a key has more than {} parts", bounds_.key_parts));
      }
      if (values_ > bounds_.values) {
        return excess(fmt::format("more than {} values in one file", bounds_.values));
      }
      if (all_dots_ > bounds_.dots) {
        return excess(fmt::format("more than {} dotted keys in one file", bounds_.dots));
      }
      if (headers_ > bounds_.headers) {
        return excess(fmt::format("more than {} table headers in one file", bounds_.headers));
      }
      ++at_;
    }
    return std::nullopt;
  }

 private:
  void count(char c) {
    switch (c) {
      case '.':
        ++dots_;
        ++all_dots_;
        break;
      case '\n':
        ++line_;
        line_start_ = at_ + 1;
        dots_ = 0;
        break;
      case '[':
      case '{':
        headers_ += nesting_ == 0 ? 1 : 0;
        ++nesting_;
        ++values_;
        dots_ = 0;
        break;
      case ']':
      case '}':
        nesting_ -= nesting_ > 0 ? 1 : 0;
        dots_ = 0;
        break;
      case '=':
      case ',':
        ++values_;
        dots_ = 0;
        break;
      default:
        break;
    }
  }

  void skip_comment() {
    while (at_ < text_.size() && text_[at_] != '\n') {
      ++at_;
    }
  }

  // Basic strings ("), where a backslash guards the next character, and literal ones ('), where
  // nothing does; tripled, they go over lines. A string of one line ends at the line's end as well:
  // the parser refuses it there.
  void skip_string(char quote) {
    const std::string triple(3, quote);
    const bool multi_line = text_.substr(at_, 3) == triple;
    at_ += multi_line ? 3 : 1;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\n') {
        if (!multi_line) {
          return;
        }
        count(c);
      } else if (c == '\\' && quote == '"') {
        if (at_ + 1 < text_.size() && text_[at_ + 1] != '\n') {
          ++at_;
        }
      } else if (c == quote && !multi_line) {
        ++at_;
        return;
      } else if (c == quote && text_.substr(at_, 3) == triple) {
        at_ += 3;
        // One or two quotes may stand right before the closing three.
        for (int extra = 0; extra < 2 && at_ < text_.size() && text_[at_] == quote; ++extra) {
          ++at_;
        }
        return;
      }
      ++at_;
    }
  }

  [[nodiscard]] TomlExcess excess(std::string message) const {
    return {{line_, static_cast<uint32_t>(at_ - line_start_ + 1)}, std::move(message)};
  }

  std::string_view text_;
  TomlBounds bounds_;
  size_t at_ = 0;
  size_t line_start_ = 0;
  uint32_t line_ = 1;
  size_t nesting_ = 0;
  size_t dots_ = 0;
  size_t values_ = 0;
  size_t all_dots_ = 0;
  size_t headers_ = 0;
};

}  // namespace

std::optional<TomlExcess> find_excess(std::string_view text, const TomlBounds& bounds) {
  return Scanner(text, bounds).scan();
}

}  // namespace ballast
