#include "control/ctl/completion.h"

#include <array>
#include <cstdio>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/ctl/command_line.h"
#include "tests/unit/control/api/fake_handler.h"

namespace ballast::control {
namespace {

using testing::HasSubstr;

// What bash offers for the last of the words.
std::string offered(const std::string& words) {
  TemporaryFolder folder;
  std::ofstream(folder / "completion") << bash_completion(command_tree());
  std::ofstream(folder / "ask")
      << "ballastctl() { case $1 in names) echo web; echo dns ;; vrrp-names) echo "
         "front; echo back ;; port-names) echo wan; echo lan ;; esac; }\n. "
      << folder / "completion"
      << "\nCOMP_WORDS=(" << words
      << ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_ballastctl\n"
         "echo \"${COMPREPLY[*]}\"\n";
  std::string result;
  FILE* pipe = popen(("bash " + folder / "ask 2>&1").c_str(), "r");
  std::array<char, 256> chunk{};
  while (pipe != nullptr && fgets(chunk.data(), chunk.size(), pipe) != nullptr) {
    result += chunk.data();
  }
  EXPECT_EQ(pclose(pipe), 0);
  return result;
}

TEST(BashCompletion, OffersWhatComesNext) {
  EXPECT_EQ(offered("ballastctl serv"), "service server\n");
  EXPECT_EQ(offered("ballastctl server d"), "drain disable\n");
  EXPECT_EQ(offered("ballastctl --json --socket /x service s"), "show\n");
  EXPECT_EQ(offered("ballastctl service show w"), "web\n");
  EXPECT_EQ(offered("ballastctl connection list --c"), "--client\n");
  EXPECT_EQ(offered("ballastctl connection list --client ''"), "\n");
  EXPECT_EQ(offered("ballastctl vr"), "vrrp\n");
  EXPECT_EQ(offered("ballastctl vrrp f"), "failover\n");
  EXPECT_EQ(offered("ballastctl vrrp failover ''"), "front back\n");
  EXPECT_EQ(offered("ballastctl vrrp show --json b"), "back\n");
  EXPECT_EQ(offered("ballastctl vrrp release front ''"), offered("ballastctl vrrp list ''"));
  EXPECT_EQ(offered("ballastctl port show w"), "wan\n");
  EXPECT_EQ(offered("ballastctl re"), "reload restart\n");
  EXPECT_EQ(offered("ballastctl completion ''"),
            "bash zsh fish --help -h --json --socket --timeout\n");
}

// Every command and option, with those below it.
void expect_all_named(const CommandTree& tree, const std::string& script,
                      const std::string& dashes) {
  for (const auto& option : tree.options) {
    for (const auto& name : option.names) {
      EXPECT_THAT(script, HasSubstr(dashes + name.substr(name.find_first_not_of('-'))));
    }
  }
  for (const auto& command : tree.commands) {
    EXPECT_THAT(script, HasSubstr(command.name));
    expect_all_named(command, script, dashes);
  }
}

TEST(Completion, NamesEveryCommandAndOptionInEveryShell) {
  const auto tree = command_tree();
  EXPECT_EQ(tree.commands.size(), 13u);
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const auto script = completion_for(shell, tree);
    ASSERT_TRUE(script);
    expect_all_named(tree, *script, "");
    EXPECT_THAT(*script, testing::Not(HasSubstr("@")));
    EXPECT_THAT(*script, HasSubstr("ballastctl vrrp-names"));
    EXPECT_THAT(*script, HasSubstr("ballastctl port-names"));
  }
  EXPECT_FALSE(completion_for("tcsh", tree));
}

}  // namespace
}  // namespace ballast::control
