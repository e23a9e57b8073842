// `ballastctl port ...`
#pragma once

#include "control/ctl/command_line.h"
#include "control/ctl/report.h"
#include "control/ctl/session.h"

namespace ballast::control {

ExitCode show_ports(const CommandLine& line, Session& session, Report& report);
ExitCode show_port_names(Session& session, Report& report);

}  // namespace ballast::control
