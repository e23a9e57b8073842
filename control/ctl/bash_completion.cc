#include <string>

#include <fmt/format.h>

#include "control/ctl/completion.h"

namespace ballast::control {
namespace {

std::string bash_case(const std::string& path, const CommandTree& command) {
  std::vector<std::string> words = command_names(command);
  const auto options = option_names(command, false);
  words.insert(words.end(), options.begin(), options.end());
  std::string text = fmt::format("    '{}')\n      words='{}'\n", path, fmt::join(words, " "));
  if (!command.positionals.empty()) {
    // Only the first operand is ever a file or a name; later ones are addresses.
    if (command.positionals.front() == ValueKind::kFile) {
      text += "      kind=file\n";
    } else if (command.positionals.front() == ValueKind::kService) {
      text += "      kind=service\n";
    } else if (command.positionals.front() == ValueKind::kInstance) {
      text += "      kind=instance\n";
    } else if (command.positionals.front() == ValueKind::kPort) {
      text += "      kind=port\n";
    }
  }
  return text + "      ;;\n";
}

}  // namespace

std::string bash_completion(const CommandTree& tree) {
  std::string cases;
  visit(tree, "", [&](const std::string& path, const CommandTree& command) {
    cases += bash_case(path, command);
  });
  constexpr std::string_view kScript =
      R"bash(# bash completion for @PROGRAM@: source <(@PROGRAM@ completion bash)
_@PROGRAM@() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
  local path= words= kind= operands=0 i word skip=
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if [[ -n $skip ]]; then skip=; continue; fi
    case $word in
      @VALUED@) skip=1; continue ;;
      -*) continue ;;
    esac
    case "${path:+$path }$word" in
      @PATHS@) path="${path:+$path }$word" ;;
      *) operands=$((operands + 1)) ;;
    esac
  done
  COMPREPLY=()
  if [[ -n $skip ]]; then
    [[ $previous == --socket ]] && COMPREPLY=($(compgen -f -- "$current"))
    return
  fi
  case $path in
@CASES@  esac
  if [[ $current != -* && $operands -eq 0 && $kind == file ]]; then
    COMPREPLY=($(compgen -f -- "$current"))
  elif [[ $current != -* && $operands -eq 0 && $kind == service ]]; then
    COMPREPLY=($(compgen -W "$(@PROGRAM@ names 2>/dev/null)" -- "$current"))
  elif [[ $current != -* && $operands -eq 0 && $kind == instance ]]; then
    COMPREPLY=($(compgen -W "$(@PROGRAM@ vrrp-names 2>/dev/null)" -- "$current"))
  elif [[ $current != -* && $operands -eq 0 && $kind == port ]]; then
    COMPREPLY=($(compgen -W "$(@PROGRAM@ port-names 2>/dev/null)" -- "$current"))
  else
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  fi
}
complete -o filenames -F _@PROGRAM@ @PROGRAM@
)bash";
  std::string script(kScript);
  const auto replace = [&script](std::string_view what, const std::string& by) {
    for (size_t at = script.find(what); at != std::string::npos;
         at = script.find(what, at + by.size())) {
      script.replace(at, what.size(), by);
    }
  };
  replace("@VALUED@", fmt::format("{}", fmt::join(all_options_with_value(tree), "|")));
  replace("@PATHS@", fmt::format("{}", fmt::join(all_paths(tree), "|")));
  replace("@CASES@", cases);
  replace("@PROGRAM@", tree.name);
  return script;
}

}  // namespace ballast::control
