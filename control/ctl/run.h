// The program ballastctl as a function: arguments in, texts and an exit code out.
#pragma once

#include <iosfwd>

namespace ballast::control {

struct Terminal {
  bool colour = false;  // standard output is a terminal, and nobody has set NO_COLOR
};

// `argv` as main gets it. The result is an ExitCode.
int run(int argc, const char* const* argv, std::ostream& out, std::ostream& err,
        const Terminal& terminal = {});

}  // namespace ballast::control
