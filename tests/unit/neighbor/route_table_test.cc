#include "dataplane/neighbor/route_table.h"

#include <map>
#include <random>

#include <gtest/gtest.h>

namespace ballast {
namespace {

Prefix prefix(std::string_view text) {
  return Prefix::parse(text).value();
}
IpAddress address(std::string_view text) {
  return IpAddress::parse(text).value();
}

Route route_through(const Prefix& prefix, uint16_t port) {
  return {prefix, {RouteHop{PortIndex{port}, {}, 1}}};
}

// Addresses that share long prefixes often.
IpAddress random_address(std::mt19937& random) {
  IpAddress::V6Bytes bytes{};
  for (size_t i = 0; i < 16; ++i) {
    bytes[i] = static_cast<uint8_t>(random() % 4 == 0 ? random() : (random() % 2) * 0x80);
  }
  return random() % 2 == 0 ? IpAddress::v6(bytes)
                           : IpAddress::v4({bytes[0], bytes[1], bytes[2], bytes[3]});
}

Prefix random_prefix(std::mt19937& random) {
  const IpAddress within = random_address(random);
  return Prefix::containing(within, static_cast<uint8_t>(random() % (within.is_v4() ? 33 : 129)));
}

// The reference: a scan of all routes.
const Route* scan(const std::map<Prefix, Route>& routes, const IpAddress& destination) {
  const Route* best = nullptr;
  for (const auto& [block, route] : routes) {
    if (block.contains(destination) && (best == nullptr || block.length > best->prefix.length)) {
      best = &route;
    }
  }
  return best;
}

void expect_same(const RouteTable& table, const std::map<Prefix, Route>& reference,
                 std::mt19937& random) {
  ASSERT_EQ(table.size(), reference.size());
  const std::vector<Route> all = table.all();
  ASSERT_EQ(all.size(), reference.size());
  for (const Route& route : all) {
    ASSERT_TRUE(reference.contains(route.prefix));
    ASSERT_EQ(route, reference.at(route.prefix));
  }
  for (const auto& [block, route] : reference) {
    const Route* found = table.at(block);
    ASSERT_NE(found, nullptr) << block.to_string();
    ASSERT_EQ(*found, route);
    const uint8_t shorter = block.length / 2;
    const Prefix around = Prefix::containing(block.address, shorter);
    ASSERT_EQ(table.at(around) != nullptr, reference.contains(around)) << around.to_string();
  }
  for (int i = 0; i < 100; ++i) {
    const Prefix other = random_prefix(random);
    ASSERT_EQ(table.at(other) != nullptr, reference.contains(other)) << other.to_string();
    IpAddress destination = random_address(random);
    if (i % 2 == 0 && !all.empty()) {
      destination = all[random() % all.size()].prefix.address;
    }
    const Route* expected = scan(reference, destination);
    const Route* found = table.find(destination);
    ASSERT_EQ(found != nullptr, expected != nullptr) << destination.to_string();
    if (found != nullptr) {
      ASSERT_EQ(*found, *expected) << destination.to_string();
    }
  }
}

TEST(RouteTable, OfNothingFindsNothing) {
  const RouteTable table;
  EXPECT_EQ(table.find(address("192.0.2.1")), nullptr);
  EXPECT_EQ(table.find(address("2001:db8::1")), nullptr);
  EXPECT_EQ(table.at(prefix("0.0.0.0/0")), nullptr);
  EXPECT_EQ(table.next_hop(address("192.0.2.1"), 0), nullptr);
  EXPECT_EQ(table.without(prefix("0.0.0.0/0")).size(), 0U);
  EXPECT_TRUE(table.all().empty());
}

TEST(RouteTable, TakesTheMostSpecificRoute) {
  RouteTable table;
  table = table.with(route_through(prefix("0.0.0.0/0"), 1));
  table = table.with(route_through(prefix("10.0.0.0/8"), 2));
  table = table.with(route_through(prefix("10.1.2.3/32"), 3));
  table = table.with(route_through(prefix("::/0"), 4));
  table = table.with(route_through(prefix("2001:db8::1/128"), 5));
  const auto port_to = [&](std::string_view text) {
    return index(table.next_hop(address(text), 0)->port);
  };
  EXPECT_EQ(port_to("192.0.2.1"), 1);
  EXPECT_EQ(port_to("10.1.2.4"), 2);
  EXPECT_EQ(port_to("10.1.2.3"), 3);
  EXPECT_EQ(port_to("2001:db8::2"), 4);
  EXPECT_EQ(port_to("2001:db8::1"), 5);
}

TEST(RouteTable, AgreesWithAScanThroughRandomChanges) {
  for (unsigned seed = 0; seed < 30; ++seed) {
    std::mt19937 random(seed);
    RouteTable table;
    std::map<Prefix, Route> reference;
    for (int change = 0; change < 400; ++change) {
      if (random() % 3 != 0 || reference.empty()) {
        const Route route = route_through(random_prefix(random), static_cast<uint16_t>(random()));
        table = table.with(route);
        reference[route.prefix] = route;
      } else {
        auto victim = reference.begin();
        std::advance(victim, random() % reference.size());
        const Prefix gone = random() % 4 == 0 ? random_prefix(random) : victim->first;
        table = table.without(gone);
        reference.erase(gone);
      }
      if (change % 20 == 0) {
        ASSERT_NO_FATAL_FAILURE(expect_same(table, reference, random)) << "seed " << seed;
      }
    }
    while (!reference.empty()) {
      table = table.without(reference.begin()->first);
      reference.erase(reference.begin());
      if (reference.size() % 20 == 0) {
        ASSERT_NO_FATAL_FAILURE(expect_same(table, reference, random)) << "seed " << seed;
      }
    }
  }
}

TEST(RouteTable, OldTablesStayAsTheyWere) {
  std::mt19937 random(7);
  std::vector<std::pair<RouteTable, std::map<Prefix, Route>>> history(1);
  for (int change = 0; change < 200; ++change) {
    auto [table, reference] = history.back();
    if (random() % 3 != 0 || reference.empty()) {
      const Route route = route_through(random_prefix(random), static_cast<uint16_t>(change));
      table = table.with(route);
      reference[route.prefix] = route;
    } else {
      table = table.without(reference.begin()->first);
      reference.erase(reference.begin());
    }
    history.emplace_back(table, reference);
  }
  for (const auto& [table, reference] : history) {
    ASSERT_NO_FATAL_FAILURE(expect_same(table, reference, random));
  }
}

TEST(RouteTable, ListsRoutesInOrderOfPrefix) {
  std::mt19937 random(8);
  RouteTable table;
  for (int i = 0; i < 500; ++i) {
    table = table.with(route_through(random_prefix(random), 0));
  }
  const std::vector<Route> all = table.all();
  for (size_t i = 1; i < all.size(); ++i) {
    if (all[i - 1].prefix.address.family() == all[i].prefix.address.family()) {
      ASSERT_LT(all[i - 1].prefix, all[i].prefix);
    }
  }
}

TEST(RouteTable, ReplacesTheRouteOfTheSamePrefix) {
  const RouteTable first = RouteTable().with(route_through(prefix("10.0.0.0/8"), 1));
  const RouteTable second = first.with(route_through(prefix("10.0.0.0/8"), 2));
  EXPECT_EQ(second.size(), 1U);
  EXPECT_EQ(index(first.next_hop(address("10.1.1.1"), 0)->port), 1);
  EXPECT_EQ(index(second.next_hop(address("10.1.1.1"), 0)->port), 2);
}

TEST(RouteTable, AChangeSharesAllOtherRoutesAndCostsTheDepthOnly) {
  RouteTable table;
  for (uint32_t i = 0; i < 100000; ++i) {
    const IpAddress block =
        IpAddress::v4({static_cast<uint8_t>(1 + i / 65536), static_cast<uint8_t>(i >> 8),
                       static_cast<uint8_t>(i), 0});
    table = table.with(route_through(Prefix{block, 24}, static_cast<uint16_t>(i)));
  }
  ASSERT_EQ(table.size(), 100000U);
  const RouteTable changed =
      table.with(route_through(prefix("1.2.3.0/24"), 9)).without(prefix("1.2.4.0/24"));
  EXPECT_EQ(changed.size(), 99999U);
  EXPECT_NE(changed.find(address("1.2.3.1")), table.find(address("1.2.3.1")));
  EXPECT_EQ(changed.find(address("1.2.4.1")), nullptr);
  for (const char* other : {"1.2.2.1", "1.2.5.1", "1.200.1.1", "2.10.20.30"}) {
    ASSERT_NE(table.find(address(other)), nullptr);
    EXPECT_EQ(changed.find(address(other)), table.find(address(other))) << other;
  }
}

TEST(RouteTable, SpreadsOverHopsByWeight) {
  Route route{prefix("0.0.0.0/0"), {}};
  for (const uint32_t weight : {1U, 2U, 5U}) {
    route.hops.push_back({PortIndex{static_cast<uint16_t>(weight)}, address("10.0.0.1"), weight});
  }
  const RouteTable table = RouteTable().with(route);
  std::map<uint16_t, int> counts;
  for (uint64_t spread = 0; spread < 80000; ++spread) {  // consecutive numbers: a poor hash must do
    const RouteHop* hop = table.next_hop(address("192.0.2.1"), spread);
    ASSERT_NE(hop, nullptr);
    ASSERT_EQ(hop, table.next_hop(address("192.0.2.1"), spread)) << "one flow, one hop";
    ++counts[index(hop->port)];
  }
  EXPECT_NEAR(counts[1], 10000, 500);
  EXPECT_NEAR(counts[2], 20000, 500);
  EXPECT_NEAR(counts[5], 50000, 500);
}

TEST(RouteTable, ARouteWithoutHopsIsABlackhole) {
  const RouteTable table = RouteTable()
                               .with(route_through(prefix("0.0.0.0/0"), 1))
                               .with(Route{prefix("10.0.0.0/8"), {}});
  EXPECT_NE(table.find(address("10.1.1.1")), nullptr);
  EXPECT_EQ(table.next_hop(address("10.1.1.1"), 5), nullptr);
  EXPECT_NE(table.next_hop(address("11.1.1.1"), 5), nullptr);
}

TEST(RouteTable, HopsWithoutAnyWeightStillForward) {
  const RouteTable table =
      RouteTable().with(Route{prefix("0.0.0.0/0"), {RouteHop{PortIndex{4}, {}, 0}}});
  ASSERT_NE(table.next_hop(address("10.1.1.1"), 5), nullptr);
}

TEST(RouteTable, HoldsTheLongestChainOfPrefixes) {
  RouteTable table;
  const IpAddress deep = address("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff");
  for (unsigned length = 0; length <= 128; ++length) {
    table = table.with(route_through(Prefix::containing(deep, static_cast<uint8_t>(length)),
                                     static_cast<uint16_t>(length)));
  }
  EXPECT_EQ(table.size(), 129U);
  for (unsigned length = 128; length > 0; --length) {
    ASSERT_EQ(table.find(deep)->prefix.length, length);
    table = table.without(Prefix::containing(deep, static_cast<uint8_t>(length)));
  }
  EXPECT_EQ(table.find(deep)->prefix.length, 0);
}

}  // namespace
}  // namespace ballast
