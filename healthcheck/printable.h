// Text from outside, made fit for a log line or a table: printable ASCII, of bounded length.
#pragma once

#include <string>
#include <string_view>

namespace ballast::healthcheck {

// Control characters and bytes beyond ASCII become "?"; what is longer is cut and ends in "...".
std::string printable(std::string_view text, size_t max_characters = 40);

}  // namespace ballast::healthcheck
