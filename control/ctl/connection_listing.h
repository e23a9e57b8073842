// `ballastctl connection list`: pages until there are no more, or enough.
#pragma once

#include "control/ctl/command_line.h"
#include "control/ctl/exit_code.h"
#include "control/ctl/report.h"
#include "control/ctl/session.h"

namespace ballast::control {

// Prints each page as it comes. As JSON it is one document all the same: {"connections": [...],
// "complete": true}, and with "failed": {"error": ...} in it when a later page could not be had.
ExitCode list_connections(const CommandLine& line, Session& session, Report& report);

}  // namespace ballast::control
