#include "vrrp/advert_fault.h"

#include <array>

namespace ballast::vrrp {
namespace {

struct Text {
  std::string_view name;
  bool is_discarded;
  std::string_view description;
};

constexpr std::array<Text, kAdvertFaults> kTexts{{
#define X(constant, name, is_discarded, text) {name, is_discarded, text},
    BALLAST_ADVERT_FAULTS(X)
#undef X
}};

const Text& text_of(AdvertFault fault) {
  static constexpr Text kUnknown{"unknown", true, "not a fault"};
  const auto subscript = static_cast<size_t>(fault);
  return subscript < kTexts.size() ? kTexts[subscript] : kUnknown;
}

}  // namespace

std::string_view name_of(AdvertFault fault) {
  return text_of(fault).name;
}

std::string_view describe(AdvertFault fault) {
  return text_of(fault).description;
}

bool is_discarded(AdvertFault fault) {
  return text_of(fault).is_discarded;
}

}  // namespace ballast::vrrp
