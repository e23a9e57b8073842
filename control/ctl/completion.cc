#include "control/ctl/completion.h"

namespace ballast::control {

std::optional<std::string> completion_for(std::string_view shell, const CommandTree& tree) {
  if (shell == "bash") {
    return bash_completion(tree);
  }
  if (shell == "zsh") {
    return zsh_completion(tree);
  }
  if (shell == "fish") {
    return fish_completion(tree);
  }
  return std::nullopt;
}

}  // namespace ballast::control
