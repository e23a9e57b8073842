// Whose fault is an error of a socket? Pure.
//
// Errors of this machine's own (file descriptors, memory, local ports, local policy) are
// inconclusive: when ballastd runs out of file descriptors, it must not take every server of every
// service down. What the network or the server said (refused, reset, unreachable, no answer) is
// evidence, and so are routes that say a destination is not to be reached (unreachable, prohibit,
// blackhole: EHOSTUNREACH, EACCES, EINVAL).
#pragma once

#include <string_view>

#include "healthcheck/check_result.h"

namespace ballast::healthcheck {

// `error` is a value of errno. `activity` says what was going on, "waiting for the response
// header"; empty for making the connection, where the error alone says it: "connection refused".
CheckResult result_of_socket_error(int error, std::string_view activity);

}  // namespace ballast::healthcheck
