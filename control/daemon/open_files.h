// How many files the process may have open, and how many checks of servers may therefore run at
// once: each has a socket of its own.
#pragma once

#include <cstdint>

namespace ballast::control {

// Raises the limit to what the process is allowed without asking (the soft limit to the hard one),
// and returns what is in force then.
uint64_t raise_open_files();

// Leaves descriptors for all else: ballastctl, netlink, the dataplane, logs. More than some
// thousands at once would mean that thousands of servers do not answer; the rest can wait its turn.
// Pure.
uint32_t checks_at_once(uint64_t open_files);

}  // namespace ballast::control
