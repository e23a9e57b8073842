#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "control/ctl/completion.h"

namespace ballast::control {
namespace {

std::string zsh_function_name(const std::string& program, std::string path) {
  std::replace(path.begin(), path.end(), ' ', '_');
  return path.empty() ? "_" + program : "_" + program + "_" + path;
}

// What _arguments and _describe take for special: brackets in descriptions, colons in names.
std::string zsh_text(const std::string& text, std::string_view special) {
  std::string result;
  for (const char character : text) {
    if (special.find(character) != std::string_view::npos) {
      result += '\\';
    }
    result += character;
  }
  return result;
}

std::string zsh_action(ValueKind kind, const std::string& program) {
  switch (kind) {
    case ValueKind::kFile:
      return ":file:_files";
    case ValueKind::kService:
      return ":service:_" + program + "_service_names";
    case ValueKind::kInstance:
      return ":instance:_" + program + "_instance_names";
    case ValueKind::kPort:
      return ":port:_" + program + "_port_names";
    default:
      return ":value: ";
  }
}

std::string zsh_function(const std::string& program, const std::string& path,
                         const CommandTree& command) {
  std::string text = zsh_function_name(program, path) + "() {\n";
  if (!command.commands.empty()) {
    text += "  local context state line\n  local -a commands=(\n";
    for (const auto& sub : command.commands) {
      text +=
          "    " + quoted(zsh_text(sub.name, ":") + ":" + zsh_text(sub.description, ":")) + "\n";
    }
    text += "  )\n";
  }
  text += "  _arguments -C";
  for (const auto& option : command.options) {
    for (const auto& name : option.names) {
      std::string spec = name + "[" + zsh_text(option.description, "[]") + "]";
      if (option.value != ValueKind::kNone) {
        spec += zsh_action(option.value, program);
      }
      text += " \\\n    " + quoted(spec);
    }
  }
  if (command.commands.empty()) {
    for (size_t index = 0; index < command.positionals.size(); ++index) {
      text += " \\\n    " +
              quoted(std::to_string(index + 1) + zsh_action(command.positionals[index], program));
    }
    return text + "\n}\n";
  }
  text += " \\\n    '1: :->command' '*:: :->rest'\n";
  text +=
      "  case $state in\n    command) _describe command commands ;;\n    rest)\n      case "
      "$line[1] in\n";
  for (const auto& sub : command.commands) {
    text +=
        fmt::format("        {}) {} ;;\n", sub.name,
                    zsh_function_name(program, path.empty() ? sub.name : path + " " + sub.name));
  }
  return text + "      esac ;;\n  esac\n}\n";
}

}  // namespace

std::string zsh_completion(const CommandTree& tree) {
  std::string text = fmt::format(
      "#compdef {0}\n# zsh completion for {0}: {0} completion zsh > \"${{fpath[1]}}/_{0}\"\n"
      "_{0}_service_names() {{\n  local -a names=(${{(f)\"$({0} names 2>/dev/null)\"}})\n"
      "  compadd -a names\n}}\n"
      "_{0}_instance_names() {{\n  local -a names=(${{(f)\"$({0} vrrp-names 2>/dev/null)\"}})\n"
      "  compadd -a names\n}}\n"
      "_{0}_port_names() {{\n  local -a names=(${{(f)\"$({0} port-names 2>/dev/null)\"}})\n"
      "  compadd -a names\n}}\n",
      tree.name);
  visit(tree, "", [&](const std::string& path, const CommandTree& command) {
    text += zsh_function(tree.name, path, command);
  });
  return text + fmt::format("compdef _{0} {0}\n", tree.name);
}

}  // namespace ballast::control
