// Where a command puts what it has found: tables or JSON, errors on the right stream.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "control/api/client.h"
#include "control/ctl/exit_code.h"
#include "control/ctl/style.h"

namespace ballast::control {

class Report {
 public:
  Report(std::ostream& out, std::ostream& err, bool json, Style style)
      : out_(out), err_(err), json_(json), style_(style) {}

  [[nodiscard]] bool json() const { return json_; }
  [[nodiscard]] Style style() const { return style_; }

  void print(const std::string& text) { out_ << text; }
  void print(const google::protobuf::Message& message);
  // For people only, on standard error.
  void note(const std::string& text);

  // Says what is wrong and returns `exit_code`.
  ExitCode fail(ExitCode exit_code, const std::string& code, const std::string& message,
                const std::vector<std::string>& details = {});
  ExitCode fail(const ClientError& error);

  // Everything has been written: standard output may be a full disk or a closed pipe.
  [[nodiscard]] bool flush();

 private:
  std::ostream& out_;
  std::ostream& err_;
  bool json_;
  Style style_;
};

// Prints an answer as JSON or as the text that `render` makes of it.
template <class Message, class Render>
void show(Report& report, const Message& message, Render render) {
  if (report.json()) {
    report.print(message);
  } else {
    report.print(render(message));
  }
}

api::ErrorReport error_report(ExitCode exit_code, const std::string& code,
                              const std::string& message, const std::vector<std::string>& details);

}  // namespace ballast::control
