// The operator's tool. What it does is in run.h; here it meets the terminal.
#include <cstdlib>
#include <iostream>
#include <string_view>

#include <unistd.h>

#include "control/ctl/run.h"

int main(int argc, char** argv) {
  const char* no_colour = std::getenv("NO_COLOR");  // https://no-color.org: set and not empty
  const char* terminal = std::getenv("TERM");
  const bool dumb = terminal != nullptr && std::string_view(terminal) == "dumb";
  const bool colour =
      isatty(STDOUT_FILENO) == 1 && !dumb && (no_colour == nullptr || *no_colour == '\0');
  return ballast::control::run(argc, argv, std::cout, std::cerr, {colour});
}
