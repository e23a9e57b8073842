// Users of this machine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace ballast::control {

struct Account {
  uint32_t user = 0;   // uid
  uint32_t group = 0;  // gid: the user's first group
};

// None: this machine knows no such user. Asks the machine's name service, which for users of the
// machine itself is a look into a file; for those of a directory it waits for the directory.
std::optional<Account> find_account(const std::string& name);

}  // namespace ballast::control
