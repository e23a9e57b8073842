#include <string>
#include <vector>

#include <fmt/format.h>

#include "control/ctl/completion.h"

namespace ballast::control {
namespace {

std::string fish_value(ValueKind kind, const std::string& program) {
  switch (kind) {
    case ValueKind::kNone:
      return "";
    case ValueKind::kFile:
      return " -r -F";
    case ValueKind::kService:
      return " -x -a " + quoted("(" + program + " names 2>/dev/null)");
    case ValueKind::kInstance:
      return " -x -a " + quoted("(" + program + " vrrp-names 2>/dev/null)");
    case ValueKind::kPort:
      return " -x -a " + quoted("(" + program + " port-names 2>/dev/null)");
    default:
      return " -x";
  }
}

std::string fish_lines(const std::string& program, const std::string& path,
                       const CommandTree& command) {
  const std::string here =
      fmt::format("complete -c {} -n {}", program, quoted("__" + program + "_at " + quoted(path)));
  std::string text;
  for (const auto& sub : command.commands) {
    text += fmt::format("{} -f -a {} -d {}\n", here, sub.name, quoted(sub.description));
  }
  for (const auto& option : command.options) {
    text += here;
    for (const auto& name : option.names) {
      text += name.rfind("--", 0) == 0 ? " -l " + name.substr(2) : " -s " + name.substr(1);
    }
    text += fish_value(option.value, program) + " -d " + quoted(option.description) + "\n";
  }
  if (!command.positionals.empty() && command.positionals.front() != ValueKind::kAny) {
    text += here + fish_value(command.positionals.front(), program) + "\n";
  }
  return text;
}

}  // namespace

std::string fish_completion(const CommandTree& tree) {
  std::vector<std::string> paths = all_paths(tree);
  std::string text = fmt::format(
      "# fish completion for {0}: {0} completion fish | source\n"
      "function __{0}_at\n"
      "  set -l path\n"
      "  set -l skip no\n"
      "  for word in (commandline -opc)[2..-1]\n"
      "    if test $skip = yes\n"
      "      set skip no\n"
      "    else if contains -- $word {1}\n"
      "      set skip yes\n"
      "    else if not string match -q -- '-*' $word\n"
      "      set -l longer (string join ' ' $path $word)\n"
      "      contains -- $longer {2}; and set path $path $word\n"
      "    end\n"
      "  end\n"
      "  test (string join ' ' $path) = \"$argv[1]\"\n"
      "end\n"
      "complete -c {0} -f\n",
      tree.name, fmt::join(all_options_with_value(tree), " "), fmt::join(paths, " "));
  visit(tree, "", [&](const std::string& path, const CommandTree& command) {
    text += fish_lines(tree.name, path, command);
  });
  return text;
}

}  // namespace ballast::control
