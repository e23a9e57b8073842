// The socket file that ballastd listens on: that of the contract's listener (lock file, stale file
// replaced), opened to a group. Private to the server.
#pragma once

#include <string>

#include <sys/types.h>
#include <tl/expected.hpp>

#include "dataplane/api/unix_listener.h"

namespace ballast::control {

// Errors name the path: a living owner with its pid, a file that is no socket, a group that does
// not exist.
tl::expected<ballast::api::UnixListener, std::string> open_control_socket(const std::string& path,
                                                                          mode_t mode,
                                                                          const std::string& group);

}  // namespace ballast::control
