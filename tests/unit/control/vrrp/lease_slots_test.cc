#include "control/vrrp/lease_slots.h"

#include <random>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dataplane/api/lease_page.h"

namespace ballast::control {
namespace {

VrrpSettings instance(const std::string& name, uint8_t id, std::vector<const char*> addresses) {
  VrrpSettings settings;
  settings.name = name;
  settings.interface = "wan";
  settings.virtual_router_id = id;
  for (const char* address : addresses) {
    settings.addresses.push_back(IpAddress::parse(address).value());
  }
  return settings;
}

ballast::api::State state_of(const VipLeases& leases) {
  ballast::api::State state;
  for (const auto& [address, lease] : leases) {
    ballast::api::Vip& vip = *state.add_resources()->mutable_vip();
    vip.set_address(address.to_string());
    vip.set_lease_slot(static_cast<uint32_t>(lease.slot));
  }
  return state;
}

TEST(LeaseSlots, GiveEachFamilyOfAnInstanceASlotOfItsOwnAndNeverTheOneThatDoesNotEnd) {
  const std::vector<VrrpSettings> instances{
      instance("a", 1, {"192.0.2.1", "192.0.2.2", "fe80::1", "2001:db8::1"}),
      instance("b", 2, {"192.0.2.3"})};
  LeaseSlots slots;
  slots.set(instances);
  const VipLeases leases = vip_leases(instances, slots);
  ASSERT_EQ(leases.size(), 5U);
  const auto at = [&](const char* text) { return leases.at(IpAddress::parse(text).value()); };
  EXPECT_EQ(at("192.0.2.1"), at("192.0.2.2"));
  EXPECT_EQ(at("fe80::1"), at("2001:db8::1"));
  EXPECT_EQ(
      (std::set{at("192.0.2.1").slot, at("fe80::1").slot, at("192.0.2.3").slot, size_t{0}}).size(),
      4U);
  EXPECT_EQ(at("192.0.2.1").virtual_mac.to_string(), "00:00:5e:00:01:01");
  EXPECT_EQ(at("2001:db8::1").virtual_mac.to_string(), "00:00:5e:00:02:01");
  EXPECT_EQ(at("192.0.2.3").virtual_mac.to_string(), "00:00:5e:00:01:02");
}

TEST(LeaseSlots, GiveNoVirtualMacWhereItIsNotWanted) {
  std::vector<VrrpSettings> instances{instance("a", 1, {"192.0.2.1"})};
  instances[0].virtual_mac = false;
  LeaseSlots slots;
  slots.set(instances);
  EXPECT_TRUE(vip_leases(instances, slots).begin()->second.virtual_mac.is_zero());
}

// Whatever is added and removed: what stays keeps its slot, no two share one, and a slot that has
// just become free is taken only when no other one is left.
TEST(LeaseSlots, StayWhileTheirRouterStays) {
  std::mt19937 random(4);
  LeaseSlots slots;
  for (int round = 0; round < 300; ++round) {
    std::vector<VrrpSettings> wanted;
    for (int id = 1; id <= 60; ++id) {
      if (random() % 3 == 0) {
        wanted.push_back(instance("i" + std::to_string(id), static_cast<uint8_t>(id),
                                  {("192.0.2." + std::to_string(id)).c_str()}));
      }
    }
    const std::map<RouterName, size_t> before = slots.slots();
    slots.set(wanted);
    std::set<size_t> taken;
    std::set<size_t> freed;
    for (const auto& [router, slot] : before) {
      if (!slots.slot_of(router)) {
        freed.insert(slot);
      }
    }
    for (const auto& [router, slot] : slots.slots()) {
      EXPECT_TRUE(slot > 0 && slot < kLeaseSlots);
      EXPECT_TRUE(taken.insert(slot).second);
      if (const auto known = before.find(router); known != before.end()) {
        EXPECT_EQ(known->second, slot);
      }
    }
    EXPECT_EQ(slots.slots().size(), wanted.size());
    const size_t unused = kLeaseSlots - 1 - taken.size() - freed.size();
    for (const auto& [router, slot] : slots.slots()) {
      EXPECT_FALSE(before.count(router) == 0 && freed.count(slot) != 0 && unused >= freed.size());
    }
  }
}

TEST(LeaseSlots, AreTakenOverFromWhatTheDataplaneKnows) {
  const std::vector<VrrpSettings> before{instance("a", 1, {"192.0.2.1", "fe80::1"}),
                                         instance("b", 2, {"192.0.2.3"})};
  LeaseSlots old;
  old.set(before);
  const ballast::api::State state = state_of(vip_leases(before, old));
  // In another order, one more address in front, and a new instance.
  const std::vector<VrrpSettings> after{instance("c", 3, {"192.0.2.9"}),
                                        instance("b", 2, {"192.0.2.3"}),
                                        instance("a", 1, {"192.0.2.8", "192.0.2.1", "fe80::1"})};
  LeaseSlots slots;
  slots.adopt(after, state);
  slots.set(after);
  for (const auto& [router, slot] : old.slots()) {
    EXPECT_EQ(slots.slot_of(router), slot);
  }
  EXPECT_EQ(slots.slots().size(), 4U);
}

TEST(LeaseSlots, OfWhatIsNotConfiguredAnyMoreAreGivenAwayLast) {
  const std::vector<VrrpSettings> before{instance("a", 1, {"192.0.2.1"})};
  LeaseSlots old;
  old.set(before);
  const std::vector<VrrpSettings> after{instance("b", 2, {"192.0.2.2"})};
  LeaseSlots slots;
  slots.adopt(after, state_of(vip_leases(before, old)));
  EXPECT_TRUE(slots.slots().empty());
  slots.set(after);
  EXPECT_NE(slots.slot_of({"wan", Family::kIpv4, 2}), old.slot_of({"wan", Family::kIpv4, 1}));
}

TEST(LeaseSlots, BelieveNoSlotThatCannotBe) {
  const std::vector<VrrpSettings> instances{instance("a", 1, {"192.0.2.1"}),
                                            instance("b", 2, {"192.0.2.2"}),
                                            instance("c", 3, {"192.0.2.3"})};
  ballast::api::State state;
  for (const auto& [address, slot] :
       {std::pair{"192.0.2.1", 7U}, std::pair{"192.0.2.2", 7U}, std::pair{"192.0.2.3", 4711U}}) {
    ballast::api::Vip& vip = *state.add_resources()->mutable_vip();
    vip.set_address(address);
    vip.set_lease_slot(slot);
  }
  LeaseSlots slots;
  slots.adopt(instances, state);
  slots.set(instances);
  std::set<size_t> taken;
  for (const auto& [router, slot] : slots.slots()) {
    EXPECT_LT(slot, kLeaseSlots);
    taken.insert(slot);
  }
  EXPECT_EQ(taken.size(), 3U);
}

}  // namespace
}  // namespace ballast::control
