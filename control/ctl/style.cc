#include "control/ctl/style.h"

#include <fmt/format.h>

namespace ballast::control {
namespace {

std::string_view code_of(Colour colour) {
  switch (colour) {
    case Colour::kNone:
      break;
    case Colour::kGood:
      return "32";
    case Colour::kWarning:
      return "33";
    case Colour::kBad:
      return "1;31";
    case Colour::kHeading:
      return "1";
  }
  return "";
}

}  // namespace

std::string Style::paint(Colour colour_of_text, std::string_view text) const {
  if (!colour || colour_of_text == Colour::kNone || text.empty()) {
    return std::string(text);
  }
  return fmt::format("\x1b[{}m{}\x1b[0m", code_of(colour_of_text), text);
}

}  // namespace ballast::control
