// A program's commands and options as plain data.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace ballast::control {

// What may stand at a place of the command line.
enum class ValueKind { kNone, kAny, kFile, kService, kInstance, kPort };

struct CommandOption {
  std::vector<std::string> names;  // "--json", "-h"
  std::string description;
  ValueKind value = ValueKind::kNone;  // kNone: a flag
};

struct CommandTree {
  std::string name;
  std::string description;
  std::vector<CommandOption> options;  // those of the commands above it included
  std::vector<ValueKind> positionals;
  std::vector<CommandTree> commands;
};

// What completion scripts are made of.
std::vector<std::string> option_names(const CommandTree& tree, bool with_value_only);
std::vector<std::string> command_names(const CommandTree& tree);
std::vector<std::string> all_paths(
    const CommandTree& tree);  // "'service'", "'service show'", in quotes
std::vector<std::string> all_options_with_value(const CommandTree& tree);
// Calls for every command with its path: "", "service", "service show".
void visit(const CommandTree& tree, const std::string& path,
           const std::function<void(const std::string&, const CommandTree&)>& visitor);
std::string quoted(const std::string& text);  // in single quotes, for any shell

}  // namespace ballast::control
