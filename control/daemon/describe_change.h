// A difference between two configurations, as the API says it.
#pragma once

#include "control/api/control.pb.h"
#include "control/config/diff.h"

namespace ballast::control {

api::Change describe(const Change& change);

}  // namespace ballast::control
