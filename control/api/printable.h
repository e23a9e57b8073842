// Text of others that goes to a terminal or into a log.
#pragma once

#include <string>

namespace ballast::control {

// The text with every control character replaced by '?', so that it can neither forge a line nor
// command a terminal.
std::string printable(std::string text);

}  // namespace ballast::control
