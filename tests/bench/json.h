// Just enough to write flat objects: figures of benchmarks.
#pragma once

#include <concepts>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace ballast::bench {

class JsonObject {
 public:
  JsonObject& add(std::string_view name, std::string_view value) {
    std::string quoted = "\"";
    for (const char character : value) {
      if (character == '"' || character == '\\') {
        quoted += '\\';
      }
      quoted += static_cast<unsigned char>(character) < ' ' ? ' ' : character;
    }
    return add_raw(name, quoted + '"');
  }
  template <std::integral Integer>
  JsonObject& add(std::string_view name, Integer value) {
    return add_raw(name, std::to_string(value));
  }
  template <std::floating_point Number>
  JsonObject& add(std::string_view name, Number value) {
    return add_raw(name, fmt::format("{:.2f}", value));
  }
  // A value that is JSON already.
  JsonObject& add_raw(std::string_view name, std::string_view value) {
    fields_ += fmt::format("{}\"{}\": {}", fields_.empty() ? "" : ", ", name, value);
    return *this;
  }
  [[nodiscard]] std::string text() const { return "{" + fields_ + "}"; }

 private:
  std::string fields_;
};

}  // namespace ballast::bench
