#include "control/ctl/command_tree.h"

#include <algorithm>

namespace ballast::control {

std::vector<std::string> option_names(const CommandTree& tree, bool with_value_only) {
  std::vector<std::string> names;
  for (const auto& option : tree.options) {
    if (!with_value_only || option.value != ValueKind::kNone) {
      names.insert(names.end(), option.names.begin(), option.names.end());
    }
  }
  return names;
}

std::vector<std::string> command_names(const CommandTree& tree) {
  std::vector<std::string> names;
  for (const auto& command : tree.commands) {
    names.push_back(command.name);
  }
  return names;
}

void visit(const CommandTree& tree, const std::string& path,
           const std::function<void(const std::string&, const CommandTree&)>& visitor) {
  visitor(path, tree);
  for (const auto& command : tree.commands) {
    visit(command, path.empty() ? command.name : path + " " + command.name, visitor);
  }
}

std::vector<std::string> all_paths(const CommandTree& tree) {
  std::vector<std::string> paths;
  visit(tree, "", [&](const std::string& path, const CommandTree&) {
    if (!path.empty()) {
      paths.push_back("'" + path + "'");
    }
  });
  return paths;
}

std::vector<std::string> all_options_with_value(const CommandTree& tree) {
  std::vector<std::string> names;
  visit(tree, "", [&](const std::string&, const CommandTree& command) {
    for (std::string& name : option_names(command, true)) {
      if (std::find(names.begin(), names.end(), name) == names.end()) {
        names.push_back(std::move(name));
      }
    }
  });
  return names;
}

std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char character : text) {
    result += character == '\'' ? std::string("'\\''") : std::string(1, character);
  }
  return result + "'";
}

}  // namespace ballast::control
