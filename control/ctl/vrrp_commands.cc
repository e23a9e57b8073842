#include "control/ctl/vrrp_commands.h"

#include "control/ctl/vrrp_view.h"

namespace ballast::control {
namespace {

tl::expected<api::ListVrrpAnswer, ClientError> list_vrrp(Session& session,
                                                         const std::string& name) {
  api::Request request;
  request.mutable_list_vrrp()->set_name(name);
  auto answer = session.ask(request);
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  return std::move(*answer->mutable_list_vrrp());
}

// Nobody has taken the addresses: where they are now is worth another question.
ExitCode tell_that_nobody_came(const CommandLine& line, const api::MoveVrrpAnswer& answer,
                               Session& session, Report& report) {
  if (report.json()) {
    report.print(answer);
  } else {
    const auto after = list_vrrp(session, line.instance);
    report.print(render_failover(answer, after ? &*after : nullptr, line.instance));
  }
  return ExitCode::kRefused;
}

}  // namespace

ExitCode show_vrrp(const CommandLine& line, Session& session, Report& report) {
  const auto answer = list_vrrp(session, line.instance);
  if (!answer) {
    return report.fail(answer.error());
  }
  show(report, *answer, [&](const auto& found) {
    return line.command == Command::kVrrpShow ? render_vrrp_details(found, report.style())
                                              : render_vrrp(found, report.style());
  });
  return ExitCode::kOk;
}

ExitCode show_vrrp_names(Session& session, Report& report) {
  const auto answer = list_vrrp(session, "");
  if (!answer) {
    return report.fail(answer.error());
  }
  show(report, *answer, [](const auto& found) { return render_vrrp_names(found); });
  return ExitCode::kOk;
}

ExitCode move_vrrp(const CommandLine& line, Session& session, Report& report) {
  const bool failover = line.command == Command::kVrrpFailover;
  api::Request request;
  auto& move = *request.mutable_move_vrrp();
  move.set_name(line.instance);
  move.set_what(failover ? api::MoveVrrpRequest::FAILOVER : api::MoveVrrpRequest::RELEASE);
  const auto answer = session.ask(request);
  if (!answer) {
    return report.fail(answer.error());
  }
  if (failover && answer->move_vrrp().now_active().empty()) {
    return tell_that_nobody_came(line, answer->move_vrrp(), session, report);
  }
  show(report, answer->move_vrrp(), [&](const auto& moved) {
    return failover ? render_failover(moved, nullptr, line.instance) : render_release(moved);
  });
  return ExitCode::kOk;
}

}  // namespace ballast::control
