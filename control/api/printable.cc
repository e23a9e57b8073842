#include "control/api/printable.h"

namespace ballast::control {

std::string printable(std::string text) {
  for (char& character : text) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte < 0x20 || byte == 0x7f) {
      character = '?';
    }
  }
  return text;
}

}  // namespace ballast::control
