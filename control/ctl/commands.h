// What each command of ballastctl does: ask, show, and say how it went.
#pragma once

#include "control/ctl/command_line.h"
#include "control/ctl/exit_code.h"
#include "control/ctl/report.h"

namespace ballast::control {

ExitCode execute(const CommandLine& line, Report& report);

}  // namespace ballast::control
