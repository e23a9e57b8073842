#include "control/ctl/run.h"

#include <ostream>

#include "control/ctl/command_line.h"
#include "control/ctl/commands.h"
#include "control/ctl/json.h"
#include "control/ctl/report.h"

namespace ballast::control {
namespace {

int end_early(const EarlyEnd& end, std::ostream& out, std::ostream& err) {
  const int exit_code = static_cast<int>(end.exit_code);
  if (end.exit_code == ExitCode::kOk) {
    out << end.text;
  } else if (end.json) {
    out << to_json(error_report(end.exit_code, "USAGE", end.text, {}));
  } else {
    err << "ballastctl: " << end.text << "\nballastctl --help says what there is\n";
  }
  return exit_code;
}

}  // namespace

int run(int argc, const char* const* argv, std::ostream& out, std::ostream& err,
        const Terminal& terminal) {
  const auto parsed = parse_command_line(argc, argv);
  if (const auto* end = std::get_if<EarlyEnd>(&parsed)) {
    return end_early(*end, out, err);
  }
  const auto& line = std::get<CommandLine>(parsed);
  Report report(out, err, line.json, Style{terminal.colour});
  const ExitCode exit_code = execute(line, report);
  if (!report.flush()) {
    err << "ballastctl: standard output cannot be written\n";
    return exit_code == ExitCode::kOk ? static_cast<int>(ExitCode::kRefused)
                                      : static_cast<int>(exit_code);
  }
  return static_cast<int>(exit_code);
}

}  // namespace ballast::control
