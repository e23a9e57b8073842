// As whom check scripts and notify programs run: script_user of [daemon], without any capability.
//
// Becoming another user, and ending what runs as one, takes CAP_SETUID, CAP_SETGID and CAP_KILL. A
// ballastd that has not all three runs programs as its own user. Either way they start without
// capabilities and can never gain any, not even as root: PR_SET_NO_NEW_PRIVS makes setuid programs
// and file capabilities mean nothing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <tl/expected.hpp>

namespace ballast::control {

struct ProgramUser {
  std::string name;  // script_user
  uint32_t user = 0;
  uint32_t group = 0;
  std::vector<uint32_t> groups;  // all that the name is a member of
  // False: the process may not become this user, programs run as its own.
  bool can_become = false;

  friend bool operator==(const ProgramUser&, const ProgramUser&) = default;
};

// Looks the name up (control/config/account.h says what that may wait for), so it belongs to start
// and reload. The error is a sentence about the name.
tl::expected<ProgramUser, std::string> find_program_user(const std::string& name);

// For the log: "programs run as nobody (uid 65534), without capabilities".
std::string describe(const ProgramUser& user);

}  // namespace ballast::control
