#include "control/netlink/state_builder.h"

#include <gmock/gmock.h>

namespace ballast::netlink {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

IpAddress ip(const char* text) {
  return IpAddress::parse(text).value();
}
Prefix block(const char* text) {
  return Prefix::parse(text).value();
}

Link wan(bool admin_up = true) {
  return {.index = 7,
          .name = "wan",
          .mtu = 1500,
          .admin_up = admin_up,
          .carrier = true,
          .up = admin_up};
}
KernelMessage added(const Link& link) {
  return {.content = link};
}
KernelMessage removed(const Link& link) {
  return {.removed = true, .content = link};
}
KernelMessage route(const char* prefix, std::vector<const char*> gateways) {
  RouteMessage message;
  message.key.prefix = block(prefix);
  for (const auto* gateway : gateways) {
    message.value.hops.push_back({.link = 7, .gateway = ip(gateway)});
  }
  return {.content = message};
}
KernelMessage gone(KernelMessage message) {
  message.removed = true;
  return message;
}

class StateBuilderTest : public testing::Test {
 protected:
  // First gateways of the routes with this prefix.
  std::vector<std::string> gateways(const char* prefix) {
    std::vector<std::string> found;
    if (const auto at = builder_.state().routes.find({block(prefix), 0});
        at != builder_.state().routes.end()) {
      for (const auto& one : at->second) {
        found.push_back(one.hops.front().gateway->to_string());
      }
    }
    return found;
  }
  StateBuilder builder_;
};

TEST_F(StateBuilderTest, ALinkThatGoesDownAsksForARouteDumpAndIsNoted) {
  builder_.event(added(wan()));
  EXPECT_THAT(builder_.take_changes().went_down, ElementsAre("wan")) << "it was absent before";
  EXPECT_THAT(builder_.take_needed_dumps(), IsEmpty());
  builder_.event(added(wan(false)));
  builder_.event(added(wan(true)));
  EXPECT_THAT(builder_.take_changes().went_down, ElementsAre("wan"));
  EXPECT_THAT(builder_.take_needed_dumps(), ElementsAre(KernelTable::kRoutes));
}

TEST_F(StateBuilderTest, ALinkThatIsDeletedTakesItsAddressesAndNeighboursAlong) {
  builder_.event(added(wan()));
  builder_.event({.content = AddressMessage{{7, ip("10.0.0.1"), 24}, {}}});
  builder_.event({.content = AddressMessage{{8, ip("10.0.0.1"), 24}, {}}});
  builder_.event({.content = NeighborMessage{{7, ip("10.0.0.2")}, {}}});
  builder_.take_changes();
  builder_.event(removed(wan()));
  EXPECT_THAT(builder_.state().links, IsEmpty());
  EXPECT_THAT(builder_.state().addresses, SizeIs(1));
  EXPECT_THAT(builder_.state().neighbors, IsEmpty());
  EXPECT_THAT(builder_.take_changes().neighbors, ElementsAre(NeighborKey{7, ip("10.0.0.2")}));
}

TEST_F(StateBuilderTest, AMessageThatChangesNothingIsNoChange) {
  builder_.event(added(wan()));
  builder_.event(route("10.0.0.0/8", {"192.0.2.1"}));
  builder_.take_changes();
  builder_.event(added(wan()));
  builder_.event(route("10.0.0.0/8", {"192.0.2.1"}));
  EXPECT_FALSE(builder_.has_changes());
}

TEST_F(StateBuilderTest, Ipv4RoutesWithOneKeyAreAList) {
  auto second = route("10.0.0.0/8", {"192.0.2.2"});
  second.appends = true;
  builder_.event(route("10.0.0.0/8", {"192.0.2.1"}));
  builder_.event(second);
  builder_.event(route("10.0.0.0/8", {"192.0.2.3"}));  // prepended
  EXPECT_THAT(gateways("10.0.0.0/8"), ElementsAre("192.0.2.3", "192.0.2.1", "192.0.2.2"));
  auto replacement = route("10.0.0.0/8", {"192.0.2.4"});
  replacement.replaces = true;
  builder_.event(replacement);
  builder_.event(gone(route("10.0.0.0/8", {"192.0.2.1"})));
  EXPECT_THAT(gateways("10.0.0.0/8"), ElementsAre("192.0.2.4", "192.0.2.2"));
  EXPECT_THAT(builder_.take_needed_dumps(), IsEmpty());
  builder_.event(gone(route("10.0.0.0/8", {"192.0.2.9"})));
  EXPECT_THAT(builder_.take_needed_dumps(), ElementsAre(KernelTable::kRoutes))
      << "which one is not clear";
}

TEST_F(StateBuilderTest, Ipv6LosesTheHopsThatADeletionNames) {
  builder_.event(route("2001:db8::/32", {"fe80::1", "fe80::2", "fe80::3"}));
  builder_.event(gone(route("2001:db8::/32", {"fe80::1"})));
  EXPECT_THAT(gateways("2001:db8::/32"), ElementsAre("fe80::2"));
  EXPECT_THAT(builder_.state().routes.begin()->second.front().hops, SizeIs(2));
  builder_.event(gone(route("2001:db8::/32", {"fe80::2", "fe80::3"})));
  EXPECT_THAT(builder_.state().routes, IsEmpty());
}

TEST_F(StateBuilderTest, ADumpFillsItsTableOnlyAndReportsWhatDiffers) {
  builder_.event(route("10.0.0.0/8", {"192.0.2.1"}));
  builder_.event(route("10.1.0.0/16", {"192.0.2.1"}));
  builder_.take_changes();
  builder_.begin_dump(KernelTable::kRoutes);
  builder_.dumped(added(wan()));
  builder_.dumped(route("10.0.0.0/8", {"192.0.2.1"}));
  builder_.dumped(route("10.2.0.0/16", {"192.0.2.1"}));
  builder_.dumped(route("10.2.0.0/16", {"192.0.2.2"}));
  EXPECT_FALSE(builder_.has_changes());
  builder_.end_dump(false);
  EXPECT_THAT(builder_.state().links, IsEmpty());
  EXPECT_THAT(builder_.take_changes().routes,
              UnorderedElementsAre(block("10.1.0.0/16"), block("10.2.0.0/16")));
  EXPECT_THAT(gateways("10.2.0.0/16"), ElementsAre("192.0.2.1", "192.0.2.2"));
}

TEST_F(StateBuilderTest, ALinkDumpNotesWhatWentDownUnseen) {
  builder_.event(added(wan()));
  builder_.take_changes();
  builder_.begin_dump(KernelTable::kLinks);
  builder_.end_dump(false);
  EXPECT_THAT(builder_.take_changes().went_down, ElementsAre("wan"));
  EXPECT_THAT(builder_.take_needed_dumps(), Contains(KernelTable::kRoutes));
}

TEST_F(StateBuilderTest, AnAppendedRouteDuringADumpAsksForAnotherOne) {
  builder_.begin_dump(KernelTable::kRoutes);
  builder_.dumped(route("10.0.0.0/8", {"192.0.2.1"}));
  auto second = route("10.0.0.0/8", {"192.0.2.2"});
  second.appends = true;
  builder_.event(second);
  builder_.end_dump(false);
  EXPECT_THAT(builder_.take_needed_dumps(), ElementsAre(KernelTable::kRoutes));
}

}  // namespace
}  // namespace ballast::netlink
