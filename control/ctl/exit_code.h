// What ballastctl tells a script. The numbers are part of the interface and never change their
// meaning.
#pragma once

namespace ballast::control {

enum class ExitCode {
  kOk = 0,
  kRefused = 1,      // the answer was no: refused, invalid, not found, not confirmed
  kUsage = 2,        // the command line makes no sense
  kUnreachable = 3,  // ballastd does not run, does not answer, or may not be asked
  kNoDataplane = 4,  // ballastd has no dataplane; what it knows without one is printed all the same
};

}  // namespace ballast::control
