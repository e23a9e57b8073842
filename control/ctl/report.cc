#include "control/ctl/report.h"

#include "control/api/printable.h"
#include "control/ctl/json.h"

namespace ballast::control {
namespace {

ExitCode exit_code_of(api::Failure::Code code) {
  switch (code) {
    case api::Failure::DATAPLANE_NOT_CONNECTED:
      return ExitCode::kNoDataplane;
    case api::Failure::TIMED_OUT:
    case api::Failure::BUSY:
      return ExitCode::kUnreachable;
    default:
      return ExitCode::kRefused;
  }
}

}  // namespace

api::ErrorReport error_report(ExitCode exit_code, const std::string& code,
                              const std::string& message, const std::vector<std::string>& details) {
  api::ErrorReport report;
  auto& error = *report.mutable_error();
  error.set_code(code);
  error.set_message(message);
  error.set_exit_code(static_cast<int>(exit_code));
  for (const std::string& detail : details) {
    error.add_details(detail);
  }
  return report;
}

void Report::print(const google::protobuf::Message& message) {
  out_ << to_json(message);
}

void Report::note(const std::string& text) {
  if (!json_) {
    err_ << text << "\n";
  }
}

ExitCode Report::fail(ExitCode exit_code, const std::string& code, const std::string& message,
                      const std::vector<std::string>& details) {
  if (json_) {
    print(error_report(exit_code, code, message, details));
    return exit_code;
  }
  err_ << "ballastctl: " << printable(message) << "\n";
  for (const std::string& detail : details) {
    err_ << "  " << printable(detail) << "\n";
  }
  return exit_code;
}

ExitCode Report::fail(const ClientError& error) {
  using Kind = ClientError::Kind;
  switch (error.kind) {
    case Kind::kNotRunning:
      return fail(ExitCode::kUnreachable, "NOT_RUNNING", error.message);
    case Kind::kPermission:
      return fail(ExitCode::kUnreachable, "PERMISSION", error.message);
    case Kind::kTimeout:
      return fail(ExitCode::kUnreachable, "TIMED_OUT", error.message);
    case Kind::kBroken:
      return fail(ExitCode::kUnreachable, "CONNECTION", error.message);
    case Kind::kFailure:
      break;
  }
  const auto& failure = error.failure;
  return fail(exit_code_of(failure.code()), api::Failure::Code_Name(failure.code()),
              failure.message(), {failure.details().begin(), failure.details().end()});
}

bool Report::flush() {
  return static_cast<bool>(out_.flush());
}

}  // namespace ballast::control
