#include "control/config/account.h"

#include <array>

#include <pwd.h>

namespace ballast::control {

std::optional<Account> find_account(const std::string& name) {
  std::array<char, 16384> text;  // NOLINT(cppcoreguidelines-pro-type-member-init): is written to
  passwd entry{};
  passwd* found = nullptr;
  if (getpwnam_r(name.c_str(), &entry, text.data(), text.size(), &found) != 0 || found == nullptr) {
    return std::nullopt;
  }
  return Account{found->pw_uid, found->pw_gid};
}

}  // namespace ballast::control
