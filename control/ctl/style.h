// Colours, for terminals that want them.
#pragma once

#include <string>
#include <string_view>

namespace ballast::control {

enum class Colour { kNone, kGood, kWarning, kBad, kHeading };

struct Style {
  bool colour = false;

  // The text between the terminal's codes for the colour, or as it is.
  [[nodiscard]] std::string paint(Colour colour_of_text, std::string_view text) const;
};

}  // namespace ballast::control
