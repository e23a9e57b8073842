// Shell completion, written from the tree of commands, so that it is never behind the program.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "control/ctl/command_tree.h"

namespace ballast::control {

// Names of services are asked for with `PROGRAM names`, those of VRRP instances and groups with
// `PROGRAM vrrp-names`, those of ports with `PROGRAM port-names`; files are left to the shell.
std::string bash_completion(const CommandTree& tree);
std::string zsh_completion(const CommandTree& tree);
std::string fish_completion(const CommandTree& tree);

// By the name of the shell; nothing for one that is not known.
std::optional<std::string> completion_for(std::string_view shell, const CommandTree& tree);

}  // namespace ballast::control
