// The HTTP statuses that count as healthy, as an operator writes them: "200-299,301".
//
// A set is 500 bits, one per status from 100 to 599 (RFC 9110 section 15: all other values are
// invalid), so that two ways of writing one set compare equal, and asking costs the same however it
// was written.
#pragma once

#include <bitset>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

namespace ballast::healthcheck {

class StatusSet {
 public:
  static constexpr int kLowest = 100;
  static constexpr int kHighest = 599;

  StatusSet();  // 200-299
  static StatusSet none();

  // Statuses and ranges of them, separated by commas; spaces and tabs around a number are allowed.
  // The error says what is wrong and what would be right, without a place in front: the caller
  // knows it.
  static tl::expected<StatusSet, std::string> parse(std::string_view text);

  [[nodiscard]] bool contains(int status) const;

  // In the form that parse() takes, sorted, neighbours joined: "200-299,301".
  [[nodiscard]] std::string to_string() const;

  friend bool operator==(const StatusSet&, const StatusSet&) = default;

 private:
  std::bitset<kHighest - kLowest + 1> statuses_;
};

}  // namespace ballast::healthcheck
