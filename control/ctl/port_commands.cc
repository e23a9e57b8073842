#include "control/ctl/port_commands.h"

#include <utility>

#include "control/ctl/port_view.h"

namespace ballast::control {
namespace {

tl::expected<api::ListPortsAnswer, ClientError> list_ports(Session& session,
                                                           const std::string& name) {
  api::Request request;
  request.mutable_list_ports()->set_name(name);
  auto answer = session.ask(request);
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  return std::move(*answer->mutable_list_ports());
}

}  // namespace

ExitCode show_ports(const CommandLine& line, Session& session, Report& report) {
  const auto answer = list_ports(session, line.port_name);
  if (!answer) {
    return report.fail(answer.error());
  }
  show(report, *answer, [&](const auto& found) { return render_ports(found, report.style()); });
  if (answer->workers().empty()) {
    report.note("ballastctl: the dataplane is not connected: counts are not known");
    return ExitCode::kNoDataplane;
  }
  return ExitCode::kOk;
}

ExitCode show_port_names(Session& session, Report& report) {
  const auto answer = list_ports(session, "");
  if (!answer) {
    return report.fail(answer.error());
  }
  show(report, *answer, [](const auto& found) { return render_port_names(found); });
  return ExitCode::kOk;
}

}  // namespace ballast::control
