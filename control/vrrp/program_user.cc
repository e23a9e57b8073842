#include "control/vrrp/program_user.h"

#include <array>

#include <fmt/format.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "control/config/account.h"

namespace ballast::control {
namespace {

bool has_effective(const std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>& sets,
                   uint32_t capability) {
  return (sets[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability)) != 0;
}

bool may_change_user() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  return syscall(SYS_capget, &header, sets.data()) == 0 && has_effective(sets, CAP_SETUID) &&
         has_effective(sets, CAP_SETGID) && has_effective(sets, CAP_KILL);
}

// The first is `group`. What cannot be known, or is more than the kernel takes, is left out.
std::vector<uint32_t> groups_of(const std::string& name, uint32_t group) {
  constexpr int kMost = 1024;
  std::vector<gid_t> groups(kMost);
  int count = kMost;
  if (getgrouplist(name.c_str(), group, groups.data(), &count) < 0) {
    return {group};
  }
  return {groups.begin(), groups.begin() + count};
}

}  // namespace

tl::expected<ProgramUser, std::string> find_program_user(const std::string& name) {
  const auto account = find_account(name);
  if (!account) {
    return tl::unexpected(fmt::format("script_user \"{}\" is not a user of this machine", name));
  }
  return ProgramUser{.name = name,
                     .user = account->user,
                     .group = account->group,
                     .groups = groups_of(name, account->group),
                     .can_become = may_change_user()};
}

std::string describe(const ProgramUser& user) {
  if (user.can_become) {
    return fmt::format("programs run as {} (uid {}), without capabilities", user.name, user.user);
  }
  return fmt::format(
      "programs run as ballastd's own user (uid {}), without capabilities, and not as {}: that "
      "takes CAP_SETUID, CAP_SETGID and CAP_KILL",
      getuid(), user.name);
}

}  // namespace ballast::control
