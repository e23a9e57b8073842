#include "control/ctl/commands.h"

#include <chrono>
#include <thread>

#include <fmt/format.h>

#include "control/api/printable.h"
#include "control/ctl/completion.h"
#include "control/ctl/connection_listing.h"
#include "control/ctl/file_commands.h"
#include "control/ctl/list_view.h"
#include "control/ctl/paged_answers.h"
#include "control/ctl/port_commands.h"
#include "control/ctl/restart_command.h"
#include "control/ctl/service_view.h"
#include "control/ctl/session.h"
#include "control/ctl/status_view.h"
#include "control/ctl/vrrp_commands.h"

namespace ballast::control {
namespace {

ExitCode show_status(Session& session, Report& report) {
  api::Request request;
  request.mutable_status();
  const auto answer = session.ask(request);
  if (!answer) {
    return report.fail(answer.error());
  }
  show(report, answer->status(),
       [&](const auto& status) { return render_status(status, report.style()); });
  return answer->status().dataplane().connected() ? ExitCode::kOk : ExitCode::kNoDataplane;
}

// What is said where a table has dashes instead of counts.
ExitCode without_dataplane(Report& report) {
  report.note("ballastctl: the dataplane is not connected: counts are not known");
  return ExitCode::kNoDataplane;
}

ExitCode show_rates(const CommandLine& line, const api::ListServicesAnswer& before,
                    Session& session, Report& report) {
  std::this_thread::sleep_for(line.interval);
  const auto after = list_services(session, line.service);
  if (!after) {
    return report.fail(after.error());
  }
  if (!after->counted()) {
    return report.fail(ExitCode::kNoDataplane, "DATAPLANE_NOT_CONNECTED",
                       "the dataplane is not connected: rates are not known");
  }
  show(report, rates(before, *after),
       [&](const auto& found) { return render_rates(found, report.style()); });
  return ExitCode::kOk;
}

ExitCode show_services(const CommandLine& line, Session& session, Report& report) {
  const auto services = list_services(session, line.service);
  if (!services) {
    return report.fail(services.error());
  }
  if (line.rate) {
    return show_rates(line, *services, session, report);
  }
  show(report, *services, [&](const auto& found) {
    if (line.stats) {
      return render_counters(found, report.style());
    }
    return line.command == Command::kServiceShow ? render_service_details(found, report.style())
                                                 : render_services(found, report.style());
  });
  return services->counted() ? ExitCode::kOk : without_dataplane(report);
}

ExitCode show_names(Session& session, Report& report) {
  const auto services = list_services(session, "");
  if (!services) {
    return report.fail(services.error());
  }
  show(report, *services, [](const auto& found) {
    std::string text;
    for (const auto& service : found.services()) {
      text += printable(service.name()) + "\n";
    }
    return text;
  });
  return ExitCode::kOk;
}

ExitCode show_drops(const CommandLine& line, Session& session, Report& report) {
  api::Request request;
  request.mutable_drops();
  const auto answer = session.ask(request);
  if (!answer) {
    return report.fail(answer.error());
  }
  show(report, answer->drops(),
       [&](const auto& drops) { return render_drops(drops, line.all, report.style()); });
  return ExitCode::kOk;
}

ExitCode show_checks(Session& session, Report& report) {
  const auto answer = list_checks(session);
  if (!answer) {
    return report.fail(answer.error());
  }
  show(report, *answer, [&](const auto& checks) { return render_checks(checks, report.style()); });
  return ExitCode::kOk;
}

ExitCode reload(Session& session, Report& report) {
  api::Request request;
  request.mutable_reload();
  const auto answer = session.ask(request);
  if (!answer) {
    return report.fail(answer.error());
  }
  show(report, answer->reload(),
       [&](const auto& reloaded) { return render_reload(reloaded, report.style()); });
  return answer->reload().dataplane_connected() ? ExitCode::kOk : ExitCode::kNoDataplane;
}

ballast::api::Override override_of(Command command) {
  switch (command) {
    case Command::kServerDrain:
      return ballast::api::DRAINED;
    case Command::kServerDisable:
      return ballast::api::DISABLED;
    default:
      return ballast::api::NO_OVERRIDE;
  }
}

ExitCode override_server(const CommandLine& line, Session& session, Report& report) {
  api::Request request;
  auto& change = *request.mutable_set_server_override();
  change.set_service(line.service);
  change.set_address(line.address);
  change.set_port(line.port);
  change.set_override(override_of(line.command));
  const auto answer = session.ask(request);
  if (!answer) {
    return report.fail(answer.error());
  }
  show(report, answer->set_server_override(),
       [](const auto& changed) { return render_override(changed); });
  if (!answer->set_server_override().dataplane_connected()) {
    return ExitCode::kNoDataplane;
  }
  return answer->set_server_override().dataplane_confirmed() ? ExitCode::kOk : ExitCode::kRefused;
}

ExitCode print_completion(const CommandLine& line, Report& report) {
  api::CompletionReport completion;
  completion.set_shell(line.shell);
  completion.set_script(completion_for(line.shell, command_tree()).value_or(""));
  show(report, completion, [](const auto& found) { return found.script(); });
  return ExitCode::kOk;
}

}  // namespace

ExitCode execute(const CommandLine& line, Report& report) {
  Session session(line);
  switch (line.command) {
    case Command::kStatus:
      return show_status(session, report);
    case Command::kServiceList:
    case Command::kServiceShow:
      return show_services(line, session, report);
    case Command::kConnectionList:
      return list_connections(line, session, report);
    case Command::kPortShow:
      return show_ports(line, session, report);
    case Command::kDrops:
      return show_drops(line, session, report);
    case Command::kChecks:
      return show_checks(session, report);
    case Command::kReload:
      return reload(session, report);
    case Command::kCheck:
      return check_file(line, report);
    case Command::kDiff:
      return diff_file(line, session, report);
    case Command::kServerDrain:
    case Command::kServerDisable:
    case Command::kServerEnable:
      return override_server(line, session, report);
    case Command::kVrrpList:
    case Command::kVrrpShow:
      return show_vrrp(line, session, report);
    case Command::kVrrpFailover:
    case Command::kVrrpRelease:
      return move_vrrp(line, session, report);
    case Command::kRestart:
      return restart(line, report);
    case Command::kCompletion:
      return print_completion(line, report);
    case Command::kNames:
      return show_names(session, report);
    case Command::kPortNames:
      return show_port_names(session, report);
    case Command::kVrrpNames:
      return show_vrrp_names(session, report);
  }
  return ExitCode::kUsage;
}

}  // namespace ballast::control
