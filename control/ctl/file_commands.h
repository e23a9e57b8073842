// `ballastctl check FILE`, which needs no ballastd, and `ballastctl diff FILE`, which asks it.
#pragma once

#include "control/ctl/command_line.h"
#include "control/ctl/exit_code.h"
#include "control/ctl/report.h"
#include "control/ctl/session.h"

namespace ballast::control {

ExitCode check_file(const CommandLine& line, Report& report);
ExitCode diff_file(const CommandLine& line, Session& session, Report& report);

}  // namespace ballast::control
