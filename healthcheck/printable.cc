#include "healthcheck/printable.h"

namespace ballast::healthcheck {

std::string printable(std::string_view text, size_t max_characters) {
  std::string result;
  for (const char character : text.substr(0, max_characters)) {
    result += character >= 0x20 && character < 0x7f ? character : '?';
  }
  return text.size() > max_characters ? result + "..." : result;
}

}  // namespace ballast::healthcheck
