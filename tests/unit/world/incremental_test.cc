// However a state came about, it is the same state and forwards alike.
#include <array>
#include <random>

#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include "tests/unit/world/world_fixture.h"

namespace ballast::test {
namespace {

using google::protobuf::util::MessageDifferencer;

// Transactions over few names and addresses, so that they meet; many are refused.
class RandomChanges {
 public:
  explicit RandomChanges(uint32_t seed) : random_(seed) {}

  Change next() {
    Change change(below(20) == 0);
    for (uint32_t count = 1 + below(4); count > 0; --count) {
      add_one(change);
    }
    return change;
  }

  uint32_t below(uint32_t limit) { return static_cast<uint32_t>(random_() % limit); }

 private:
  std::string vip() { return "192.0.2." + std::to_string(1 + below(4)); }
  std::string local() { return "10.8.0." + std::to_string(1 + below(3)); }
  std::string server_address() {
    return "10.0." + std::to_string(below(2)) + "." + std::to_string(1 + below(5));
  }
  std::string port() { return below(2) == 0 ? "wan" : "lan"; }
  std::string prefix() {
    static constexpr std::array kPrefixes{"0.0.0.0/0",   "10.0.0.0/16", "10.0.0.0/24",
                                          "10.0.1.0/24", "10.0.1.2/32", "::/0"};
    return kPrefixes[below(kPrefixes.size())];
  }
  std::string name() { return std::string(1, static_cast<char>('a' + below(4))); }

  api::Service random_service() {
    std::vector<api::Server> servers;
    for (uint32_t count = below(5); count > 0; --count) {
      servers.push_back(server(server_address(), below(3)));
      if (below(4) == 0) {
        servers.back().set_weight(0);  // of a server that is down
      }
      servers.back().set_override(below(5) == 0 ? api::DISABLED : api::NO_OVERRIDE);
      servers.back().set_health(below(2) == 0 ? api::UP : api::DOWN);
    }
    api::Service result = service(name(), vip(), 80 + below(2), servers);
    choose_mode(result);
    result.set_scheduler(std::array{"rr", "wrr", "mh"}[below(3)]);
    result.set_sloppy_tcp(below(3) == 0);
    if (below(3) == 0) {
      (*result.mutable_timeout_seconds())["ESTABLISHED"] = 1 + below(3);
    }
    return result;
  }

  void choose_mode(api::Service& service) {
    service.set_mode(static_cast<api::Mode>(api::DR + below(4)));
    if (service.mode() == api::FULLNAT) {
      service.add_local_addresses(local());
    } else if (service.mode() == api::TUN) {
      service.mutable_tunnel()->set_encapsulation(static_cast<api::Encapsulation>(below(3)));
      if (below(2) == 0) {
        service.mutable_tunnel()->add_sources("10.9." + std::to_string(below(3)) + ".0/24");
      }
      if (below(2) == 0) {
        *service.add_servers() = server("2001:db8::" + std::to_string(1 + below(3)));
      }
    }
    service.set_mss_auto(below(3) == 0);
    service.set_mss(service.mss_auto() || below(2) == 0 ? 0 : 1000 + below(3));
  }

  void add_address(Change& change) {
    const auto use = static_cast<api::AddressUse>(below(6) == 0 ? below(3) : 0);
    change.add_vip(vip(), below(3), below(3) == 0 ? "00:00:5e:00:01:0a" : "", use);
  }

  void add_one(Change& change) {
    switch (below(16)) {
      case 0:
      case 1:
        add_address(change);
        break;
      case 12:
      case 13:
        change.add_vip(local(), below(3), "", below(6) == 0 ? api::SERVICES : api::LOCAL);
        break;
      case 14:
        change.remove_vip(local());
        break;
      case 15:
        change.route_for({prefix(), prefix()});
        break;
      case 2:
        change.remove_vip(vip());
        break;
      case 3:
      case 4:
      case 5:
        change.add(random_service());
        break;
      case 6:
        change.remove_service(name());
        break;
      case 7:
        change.add_route(prefix(), port(), below(2) == 0 ? "" : "10.0.0.1");
        break;
      case 8:
        change.remove_route(prefix());
        break;
      case 9:
        change.add(
            neighbor(port(), server_address(), "02:00:00:00:00:a" + std::to_string(below(3))));
        break;
      case 10:
        change.remove_neighbor(port(), server_address());
        break;
      default:
        change.add_port(port(), {below(2) == 0 ? vip() : server_address()});
        break;
    }
  }

  std::mt19937 random_;
};

// The state as one full transaction into a world of its own.
void expect_same_as_at_once(const WorldFixture& grown) {
  WorldFixture at_once;
  api::Transaction full;
  full.set_generation(grown.world.generation());
  full.set_full(true);
  *full.mutable_upsert() = grown.world.state().resources();
  ASSERT_NE(at_once.world.apply(full).snapshot, nullptr);
  EXPECT_TRUE(MessageDifferencer::Equals(grown.world.state(), at_once.world.state()));
  EXPECT_EQ(print(grown.world, grown.neighbors), print(at_once.world, at_once.neighbors));
}

// The NAT servers of the world are the reply sources, and nobody else.
void expect_whole_replies(const WorldFixture& fixture) {
  const ForwardingSnapshot& snapshot = *fixture.world.snapshot();
  std::map<IpAddress, std::vector<ServerIndex>> expected;
  for (const ServerIndex server : fixture.world.servers()) {
    const auto description = fixture.world.describe(server);
    EXPECT_EQ(snapshot.servers[index(server)].mode, description->mode);
    if (description->mode == ForwardingMode::kNat) {
      expected[description->address].push_back(server);
    }
  }
  for (const RealServer& real : snapshot.servers) {
    const auto found = snapshot.reply_sources->find(real.address);
    EXPECT_EQ(std::vector(found.begin(), found.end()), expected[real.address]);
  }
}

// Every pointer and index of a snapshot leads to something that is in it.
void expect_whole(const WorldFixture& fixture) {
  const ForwardingSnapshot& snapshot = *fixture.world.snapshot();
  for (const RealServer& real : snapshot.servers) {
    const bool found = std::any_of(snapshot.services.begin(), snapshot.services.end(),
                                   [&real](const auto& one) { return one.get() == real.service; });
    EXPECT_TRUE(found || real.service == nullptr);
    EXPECT_LE(index(real.next_hop), fixture.neighbors.capacity());
    const bool tunnel_found =
        std::any_of(snapshot.tunnels.begin(), snapshot.tunnels.end(),
                    [&real](const auto& one) { return one.get() == real.tunnel; });
    EXPECT_TRUE(tunnel_found || real.tunnel == nullptr);
    EXPECT_EQ(real.tunnel != nullptr,
              real.service != nullptr && real.mode == ForwardingMode::kTunnel);
  }
  expect_whole_replies(fixture);
  for (const auto& service : snapshot.services) {
    for (const auto& locals : {service->local_ipv4, service->local_ipv6}) {
      for (const LocalAddressIndex local : locals) {
        EXPECT_LT(index(local), snapshot.local_addresses->size());
      }
    }
  }
  for (const ServiceTable::Entry& entry : snapshot.listeners->all()) {
    ASSERT_LT(entry.service, snapshot.services.size());
  }
}

TEST(Incremental, TransactionsOneByOneAreTheSameAsTheirResultAtOnce) {
  int accepted = 0;
  int refused = 0;
  for (uint32_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    RandomChanges changes(seed);
    WorldFixture fixture;
    for (int step = 0; step < 150 && !testing::Test::HasFailure(); ++step) {
      const api::State before = fixture.world.state();
      const std::string printed = print(fixture.world, fixture.neighbors);
      Change change = changes.next();
      if (fixture.apply(change).snapshot == nullptr) {
        ++refused;
        EXPECT_TRUE(MessageDifferencer::Equals(before, fixture.world.state()));
        EXPECT_EQ(printed, print(fixture.world, fixture.neighbors));
      } else {
        ++accepted;
        expect_same_as_at_once(fixture);
        expect_whole(fixture);
      }
      if (changes.below(5) == 0) {
        fixture.world.reclaim([&changes](ServerIndex) { return changes.below(2) == 0; });
      }
    }
  }
  EXPECT_GT(accepted, 1000);
  EXPECT_GT(refused, 1000);
}

TEST(Incremental, AnIndexMeansTheSameServerAsLongAsItIsInUse) {
  RandomChanges changes(7);
  WorldFixture fixture;
  std::map<ServerIndex, ServerDescription> known;
  for (int step = 0; step < 3000; ++step) {
    Change change = changes.next();
    fixture.apply(change);
    for (const ServerIndex server : fixture.world.servers()) {
      const ServerDescription now = *fixture.world.describe(server);
      const auto [place, is_new] = known.emplace(server, now);
      ASSERT_EQ(place->second.service, now.service);
      ASSERT_EQ(place->second.address, now.address);
      ASSERT_EQ(place->second.port, now.port);
      ASSERT_EQ(place->second.mode, now.mode);
    }
    if (changes.below(10) == 0) {
      fixture.world.reclaim([&](ServerIndex server) {
        const bool unused = changes.below(2) == 0;
        EXPECT_TRUE(fixture.world.describe(server)->removed);
        if (unused) {
          known.erase(server);
        }
        return unused;
      });
    }
  }
  EXPECT_LE(fixture.world.snapshot()->servers.size(), 4U * (10 * 4 + 3) + 1)
      << "4 services of 10 addresses in 4 modes, and 3 more in one";
}

TEST(Incremental, NothingIsLeftInTheTablesWhenAllIsRemoved) {
  RandomChanges changes(11);
  WorldFixture fixture;
  for (int step = 0; step < 500; ++step) {
    Change change = changes.next();
    fixture.apply(change);
  }
  fixture.accept(Change(true));
  const auto always = [](ServerIndex) { return true; };
  fixture.world.reclaim(always);
  fixture.world.reclaim(always);
  EXPECT_EQ(fixture.neighbors.size(), 0U);
  EXPECT_TRUE(fixture.world.servers().empty());
}

}  // namespace
}  // namespace ballast::test
