// `ballastctl status`: what is wrong first, worst first, then what there is.
#pragma once

#include <string>
#include <vector>

#include "control/api/control.pb.h"
#include "control/ctl/style.h"

namespace ballast::control {

// What is wrong according to the fields, and ballastd's own warnings: outages, then degradations,
// then notes.
std::vector<api::Warning> problems(const api::StatusAnswer& status);

std::string render_status(const api::StatusAnswer& status, Style style);

}  // namespace ballast::control
