// `ballastctl vrrp ...`
#pragma once

#include "control/ctl/exit_code.h"
#include "control/ctl/report.h"
#include "control/ctl/session.h"

namespace ballast::control {

ExitCode show_vrrp(const CommandLine& line, Session& session, Report& report);
ExitCode show_vrrp_names(Session& session, Report& report);
// Refused also when the addresses were given away and nobody has taken them.
ExitCode move_vrrp(const CommandLine& line, Session& session, Report& report);

}  // namespace ballast::control
