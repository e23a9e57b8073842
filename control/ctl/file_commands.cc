#include "control/ctl/file_commands.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include <fmt/format.h>

#include "control/api/printable.h"
#include "control/config/load.h"
#include "control/ctl/list_view.h"

namespace ballast::control {
namespace {

// Not more than fits into a request; a device or a pipe that never ends is cut off as well.
tl::expected<std::string, std::string> read_file(const std::string& path) {
  constexpr size_t kMaxFile = kMaxControlRequest - 4096;
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return tl::unexpected(fmt::format("{}: cannot be read: {}", path, std::strerror(errno)));
  }
  std::string text(kMaxFile + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || (file.gcount() == 0 && !file.eof())) {
    return tl::unexpected(fmt::format("{}: cannot be read: {}", path, std::strerror(errno)));
  }
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.size() > kMaxFile) {
    return tl::unexpected(fmt::format("{}: is longer than {} bytes", path, kMaxFile));
  }
  return text;
}

api::CheckReport check(const std::string& path, const std::string& text) {
  api::CheckReport result;
  result.set_file(path);
  const auto loaded = parse_configuration(text, path, Capabilities{});
  result.set_valid(loaded.has_value());
  if (!loaded) {
    *result.mutable_errors() = {loaded.error().begin(), loaded.error().end()};
  } else {
    *result.mutable_warnings() = {loaded->warnings.begin(), loaded->warnings.end()};
  }
  return result;
}

}  // namespace

ExitCode check_file(const CommandLine& line, Report& report) {
  const auto text = read_file(line.file);
  if (!text) {
    return report.fail(ExitCode::kRefused, "FILE", text.error());
  }
  const auto result = check(line.file, *text);
  if (report.json()) {
    report.print(result);
    return result.valid() ? ExitCode::kOk : ExitCode::kRefused;
  }
  for (const std::string& error : result.errors()) {
    report.note(printable(error));
  }
  for (const std::string& warning : result.warnings()) {
    report.note("warning: " + printable(warning));
  }
  if (!result.valid()) {
    return ExitCode::kRefused;
  }
  report.print(fmt::format("{}: valid\n", line.file));
  return ExitCode::kOk;
}

ExitCode diff_file(const CommandLine& line, Session& session, Report& report) {
  const auto text = read_file(line.file);
  if (!text) {
    return report.fail(ExitCode::kRefused, "FILE", text.error());
  }
  api::Request request;
  request.mutable_diff()->set_file_name(line.file);
  request.mutable_diff()->set_text(*text);
  const auto answer = session.ask(request);
  if (!answer) {
    return report.fail(answer.error());
  }
  const auto& changes = answer->diff().changes();
  if (report.json()) {
    report.print(answer->diff());
  } else {
    report.print(changes.empty() ? line.file + ": no change\n"
                                 : render_changes(changes, report.style()));
  }
  return ExitCode::kOk;
}

}  // namespace ballast::control
