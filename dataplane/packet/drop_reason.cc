#include "dataplane/packet/drop_reason.h"

#include <array>

namespace ballast {
namespace {

struct Text {
  std::string_view name;
  std::string_view description;
};

constexpr std::array<Text, kDropReasons> kTexts{{
#define X(constant, name, text) {name, text},
    BALLAST_DROP_REASONS(X)
#undef X
}};

const Text& text_of(DropReason reason) {
  static constexpr Text kUnknown{"unknown", "not a reason"};
  const auto subscript = static_cast<size_t>(reason);
  return subscript < kTexts.size() ? kTexts[subscript] : kUnknown;
}

}  // namespace

std::string_view name_of(DropReason reason) {
  return text_of(reason).name;
}

std::string_view describe(DropReason reason) {
  return text_of(reason).description;
}

}  // namespace ballast
