#include "tests/model/fate.h"

#include <fmt/format.h>

namespace ballast::model {

std::string to_string(const Fate& fate) {
  switch (fate.end) {
    case End::kDropped:
      return fmt::format("dropped: {}", name_of(fate.reason));
    case End::kSent: {
      std::string text = fmt::format("{} bytes sent on port {}", fate.frame.size(),
                                     static_cast<int>(fate.out_port));
      if (fate.reason != DropReason::kNone) {
        text += fmt::format(" in answer to {}", name_of(fate.reason));
      }
      if (fate.fragment_mtu != 0) {
        text += fmt::format(" in fragments of {}", fate.fragment_mtu);
      }
      return text;
    }
    case End::kKernel:
      return "to the kernel";
    case End::kHeld:
      return "held";
  }
  return "?";
}

}  // namespace ballast::model
