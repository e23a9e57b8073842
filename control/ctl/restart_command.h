// `ballastctl restart`: asks ballastd to begin anew, and waits until the new one answers.
//
// The new one is told from the old one by two things: the connection on which the restart was asked
// for has ended, and what answers on a new one has not been up for longer than that.
#pragma once

#include "control/ctl/command_line.h"
#include "control/ctl/exit_code.h"
#include "control/ctl/report.h"

namespace ballast::control {

ExitCode restart(const CommandLine& line, Report& report);

}  // namespace ballast::control
