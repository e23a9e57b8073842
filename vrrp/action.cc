#include "vrrp/action.h"

namespace ballast::vrrp {

std::string_view to_string(State state) {
  switch (state) {
    case State::kInitialize:
      return "INITIALIZE";
    case State::kFault:
      return "FAULT";
    case State::kBackup:
      return "BACKUP";
    case State::kActive:
      return "ACTIVE";
  }
  return "?";
}

std::string_view to_string(LeaseMode mode) {
  switch (mode) {
    case LeaseMode::kNone:
      return "none";
    case LeaseMode::kForward:
      return "forward";
    case LeaseMode::kFull:
      return "full";
  }
  return "?";
}

}  // namespace ballast::vrrp
