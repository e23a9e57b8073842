#include "control/netlink/multicast_groups.h"

#include <fstream>
#include <string>

#include <gmock/gmock.h>
#include <net/if.h>
#include <sched.h>
#include <unistd.h>

namespace ballast::netlink {
namespace {

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}

// The groups that the kernel is a member of on the loopback link, as /proc/net/igmp6 prints them.
std::set<std::string> groups_on_loopback() {
  std::ifstream file("/proc/thread-self/net/igmp6");
  std::set<std::string> groups;
  std::string index;
  std::string name;
  std::string group;
  std::string rest;
  while (file >> index >> name >> group && std::getline(file, rest)) {
    if (name == "lo") {
      groups.insert(group);
    }
  }
  return groups;
}

TEST(MulticastGroups, JoinsWhatIsAskedForAndLeavesWhatIsNot) {
  if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0) {
    GTEST_SKIP() << "needs root: makes a network namespace of its own";
  }
  const int loopback = static_cast<int>(if_nametoindex("lo"));
  MulticastGroups groups;
  std::set<IpAddress> many;
  for (int i = 0; i < 300; ++i) {  // more than fit into one socket
    many.insert(solicited_node_group(
        IpAddress::v6({0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, static_cast<uint8_t>(i >> 8),
                       static_cast<uint8_t>(i), 1})));
  }
  const std::set<std::string> before = groups_on_loopback();
  EXPECT_THAT(groups.set({loopback}, many), testing::IsEmpty());
  EXPECT_EQ(groups_on_loopback().size(), before.size() + 300);
  EXPECT_THAT(groups.set({loopback}, {ip("ff02::1:ff00:1")}), testing::IsEmpty());
  EXPECT_THAT(groups_on_loopback(), testing::Contains("ff0200000000000000000001ff000001"));
  EXPECT_EQ(groups_on_loopback().size(), before.size() + 1);
  EXPECT_THAT(groups.set({}, {}), testing::IsEmpty());
  EXPECT_EQ(groups_on_loopback(), before);
}

TEST(MulticastGroups, SaysWhichLinkCannotBeJoinedAndTriesAgain) {
  MulticastGroups groups;
  EXPECT_THAT(
      groups.set({999999}, {ip("ff02::1:ff00:1")}),
      testing::ElementsAre(testing::HasSubstr("ff02::1:ff00:1 on link 999999: cannot join")));
  EXPECT_THAT(groups.set({999999}, {ip("ff02::1:ff00:1")}), testing::SizeIs(1));
  EXPECT_THAT(groups.set({}, {}), testing::IsEmpty());
}

}  // namespace
}  // namespace ballast::netlink
