#include "control/ctl/restart_command.h"

#include <algorithm>
#include <thread>

#include <fmt/format.h>

#include "control/api/printable.h"
#include "control/ctl/session.h"
#include "control/ctl/vrrp_words.h"

namespace ballast::control {
namespace {

using Clock = ControlClient::Clock;
using std::chrono::milliseconds;

constexpr milliseconds kBetweenTries{20};

uint64_t milliseconds_since(Clock::time_point when) {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<milliseconds>(Clock::now() - when).count());
}

tl::expected<api::StatusAnswer, ClientError> status_of(Session& session) {
  api::Request request;
  request.mutable_status();
  auto answer = session.ask(request);
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  return std::move(*answer->mutable_status());
}

// What a wait for the new ballastd has found.
struct Wait {
  bool old_is_gone = false;
  std::optional<api::StatusAnswer> status;  // of the new one
  std::string last_error;
};

// `session` is the one that has asked for the restart.
Wait wait_for_new(const CommandLine& line, Session& session, Clock::time_point asked,
                  Clock::time_point deadline) {
  Wait wait;
  while (Clock::now() < deadline) {
    if (!wait.old_is_gone) {
      const auto old = status_of(session);
      wait.old_is_gone = !old && old.error().kind != ClientError::Kind::kFailure;
    } else {
      CommandLine once = line;
      once.timeout = std::max(milliseconds(1),
                              std::chrono::duration_cast<milliseconds>(deadline - Clock::now()));
      Session fresh(once);
      auto status = status_of(fresh);
      if (!status) {
        wait.last_error = status.error().message;
      } else if (status->uptime_seconds() * 1000 <= milliseconds_since(asked)) {
        wait.status = std::move(*status);
        return wait;
      }
    }
    std::this_thread::sleep_for(kBetweenTries);
  }
  return wait;
}

ExitCode fail(const Wait& wait, const CommandLine& line, Report& report) {
  const std::string limit = lapse_of_milliseconds(static_cast<uint64_t>(line.timeout.count()));
  if (!wait.old_is_gone) {
    return report.fail(ExitCode::kRefused, "NOT_RESTARTED",
                       fmt::format("ballastd has not restarted within {}: the one that was asked "
                                   "still runs: see its log",
                                   limit));
  }
  return report.fail(ExitCode::kUnreachable, "NOT_BACK",
                     fmt::format("ballastd is gone and does not answer within {}: see its log "
                                 "(journalctl -u ballastd); if it does not run, other nodes take "
                                 "its addresses over",
                                 limit),
                     wait.last_error.empty() ? std::vector<std::string>{}
                                             : std::vector<std::string>{wait.last_error});
}

std::string render(const api::RestartReport& done) {
  const std::string version =
      done.version() == done.version_before()
          ? done.version()
          : fmt::format("{} (was {})", done.version(), done.version_before());
  return printable(fmt::format("ballastd {} answers, pid {}, {} after it was told to go", version,
                               done.pid(), lapse_of_milliseconds(done.milliseconds()))) +
         "\n";
}

}  // namespace

ExitCode restart(const CommandLine& line, Report& report) {
  Session session(line);
  const auto before = status_of(session);
  if (!before) {
    return report.fail(before.error());
  }
  api::Request request;
  request.mutable_restart();
  const auto answer = session.ask(request);
  if (!answer) {
    return report.fail(answer.error());
  }
  const auto asked = Clock::now();
  const uint64_t others_wait = answer->restart().milliseconds();
  if (!report.json()) {
    report.print(fmt::format(
        "ballastd restarts in place; {}\n",
        others_wait == 0 ? "forwarding goes on"
                         : fmt::format("forwarding goes on, and the addresses are held for {}",
                                       lapse_of_milliseconds(others_wait))));
    (void)report.flush();  // what follows may take seconds
  }
  const Wait wait = wait_for_new(line, session, asked, asked + line.timeout);
  if (!wait.status) {
    return fail(wait, line, report);
  }
  api::RestartReport done;
  done.set_version_before(before->version());
  done.set_version(wait.status->version());
  done.set_pid(wait.status->pid());
  done.set_milliseconds(milliseconds_since(asked));
  done.set_other_nodes_wait_milliseconds(others_wait);
  show(report, done, render);
  return ExitCode::kOk;
}

}  // namespace ballast::control
