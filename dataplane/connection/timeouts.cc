#include "dataplane/connection/timeouts.h"

namespace ballast {

std::string_view name_of(ConnectionState state) {
  static constexpr std::array<std::string_view, kConnectionStates> kNames{
#define X(constant, name, seconds, active, closing) name,
      BALLAST_CONNECTION_STATES(X)
#undef X
  };
  const auto position = static_cast<size_t>(state);
  return position < kNames.size() ? kNames[position] : "UNKNOWN";
}

}  // namespace ballast
