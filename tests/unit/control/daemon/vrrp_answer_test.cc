#include "control/daemon/vrrp_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/config/load.h"

namespace ballast::control {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr int kWan = 7;

VrrpSettings front() {
  const auto loaded = parse_configuration(R"(
[[vrrp]]
name = "front"
interface = "wan"
virtual_router_id = 51
priority = 150
addresses = ["192.0.2.10", "fe80::1", "2001:db8::10"]
)",
                                          "b.toml", Capabilities{});
  EXPECT_TRUE(loaded);
  return loaded ? loaded->configuration.vrrp.front() : VrrpSettings{};
}

vrrp::RouterStatus router(Family family, vrrp::State state) {
  vrrp::RouterStatus status;
  status.key = key_of({"wan", family, 51}, kWan);
  status.state = state;
  return status;
}

class VrrpAnswer : public testing::Test {
 protected:
  VrrpAnswer() {
    group_.name = "front";
    group_.priority = vrrp::Priority{150};
    group_.routers = {router(Family::kIpv4, vrrp::State::kActive),
                      router(Family::kIpv6, vrrp::State::kActive)};
  }

  [[nodiscard]] VrrpView view() const {
    return {.settings = settings_,
            .interface_index = kWan,
            .group = &group_,
            .tracking = nullptr,
            .faults = faults_,
            .group_settings = std::nullopt,
            .group_tracks = {},
            .strange_claim = claim_,
            .uses = uses_,
            .now = now_};
  }
  [[nodiscard]] static api::VrrpInstance instance(const VrrpView& view) {
    api::VrrpInstance instance;
    fill(view, instance);
    return instance;
  }
  vrrp::FaultCount& fault(size_t member, vrrp::AdvertFault which) {
    return group_.routers[member].faults[static_cast<size_t>(which)];
  }
  void hear(size_t member, const char* source, uint8_t priority) {
    vrrp::Peer peer;
    peer.source = IpAddress::parse(source).value();
    peer.last_heard = now_ - milliseconds{30};
    peer.last = vrrp::Advert{};
    peer.last->priority = vrrp::Priority{priority};
    peer.last->interval = milliseconds{100};
    group_.routers[member].peers.push_back(peer);
  }

  VrrpSettings settings_ = front();
  vrrp::GroupStatus group_;
  std::vector<std::string> faults_;
  std::optional<vrrp::StrangeClaim> claim_;
  std::map<IpAddress, AddressUse> uses_;
  vrrp::TimePoint now_{seconds{5000}};
};

TEST_F(VrrpAnswer, IsActiveOnlyIfBothFamiliesAre) {
  EXPECT_EQ(instance(view()).state(), api::ACTIVE);
  group_.routers[1].state = vrrp::State::kBackup;
  EXPECT_EQ(instance(view()).state(), api::BACKUP);
  EXPECT_EQ(instance(view()).routers(0).state(), api::ACTIVE);
  group_.routers[0].state = vrrp::State::kFault;
  EXPECT_EQ(instance(view()).state(), api::FAULT);
}

TEST_F(VrrpAnswer, NamesWhatEachRouterHas) {
  group_.routers[0].lease = vrrp::LeaseMode::kForward;
  group_.routers[0].statistics.adverts_sent = 12;
  group_.routers[0].statistics.largest_lateness = std::chrono::microseconds{1234};
  hear(0, "10.0.0.2", 100);
  const api::VrrpInstance shown = instance(view());
  ASSERT_THAT(shown.routers(), SizeIs(2));
  EXPECT_EQ(shown.routers(0).family(), 4U);
  EXPECT_EQ(shown.routers(0).virtual_mac(), "00:00:5e:00:01:33");
  EXPECT_EQ(shown.routers(0).lease(), "forward");
  EXPECT_EQ(shown.routers(0).adverts_sent(), 12U);
  EXPECT_EQ(shown.routers(0).largest_lateness_microseconds(), 1234U);
  ASSERT_THAT(shown.routers(0).peers(), SizeIs(1));
  EXPECT_EQ(shown.routers(0).peers(0).address(), "10.0.0.2");
  EXPECT_EQ(shown.routers(0).peers(0).priority(), 100U);
  EXPECT_EQ(shown.routers(0).peers(0).last_milliseconds_ago(), 30U);
  EXPECT_EQ(shown.routers(1).family(), 6U);
  EXPECT_EQ(shown.routers(1).virtual_mac(), "00:00:5e:00:02:33");
  EXPECT_THAT(shown.routers(1).addresses(), ElementsAre("fe80::1", "2001:db8::10"));
}

TEST_F(VrrpAnswer, SaysOfAFaultOfTheSpeakersOwnWhereTheDaemonKnowsNone) {
  group_.fault = "the interface has no IPv4 address";
  EXPECT_THAT(instance(view()).faults(), ElementsAre("the interface has no IPv4 address"));
  faults_ = {"port wan: the link is down"};
  EXPECT_THAT(instance(view()).faults(), ElementsAre("port wan: the link is down"));
}

TEST_F(VrrpAnswer, HasFaultWithoutAGroup) {
  VrrpView alone = view();
  alone.group = nullptr;
  alone.faults = {"there is no interface wan"};
  EXPECT_EQ(instance(alone).state(), api::FAULT);
  EXPECT_THAT(instance(alone).faults(), SizeIs(1));
  EXPECT_THAT(instance(alone).routers(), SizeIs(2));
  EXPECT_FALSE(instance(alone).has_last_change());
}

TEST_F(VrrpAnswer, TellsADisagreementForAMinute) {
  fault(1, vrrp::AdvertFault::kIntervalDiffers) = {
      .count = 3, .last = now_ - seconds{59}, .last_offender = IpAddress::parse("fe80::2").value()};
  fault(0, vrrp::AdvertFault::kChecksum) = {.count = 3, .last = now_, .last_offender = {}};
  EXPECT_THAT(instance(view()).disagreements(),
              ElementsAre(HasSubstr("fe80::2: v3: another interval")));
  EXPECT_THAT(instance(view()).routers(0).faults(), SizeIs(1));
  now_ += seconds{2};
  EXPECT_THAT(instance(view()).disagreements(), IsEmpty());
  EXPECT_THAT(instance(view()).routers(1).faults(), SizeIs(1)) << "it is counted all the same";
}

TEST_F(VrrpAnswer, NamesAWeightThatCanChangeNothingAgainstAPeerThatWasHeard) {
  hear(0, "10.0.0.2", 100);
  VrrpView seen = view();
  seen.group_settings = vrrp::GroupSettings{};
  seen.group_settings->priority = vrrp::Priority{150};
  seen.group_tracks = {{.name = "script a", .weight = -20}};
  EXPECT_THAT(instance(seen).disagreements(),
              ElementsAre(HasSubstr("10.0.0.2: weight: with everything down the priority is 130")));
  seen.group_tracks = {{.name = "script a", .weight = -60}};
  EXPECT_THAT(instance(seen).disagreements(), IsEmpty());
}

TEST_F(VrrpAnswer, NamesWhoAnnouncesAnAddressOfItsUnderAnotherId) {
  claim_ = vrrp::StrangeClaim{IpAddress::parse("10.0.0.2").value(), vrrp::VirtualRouterId{61},
                              IpAddress::parse("192.0.2.10").value(), now_ - seconds{1}};
  EXPECT_THAT(instance(view()).disagreements(),
              ElementsAre("10.0.0.2 announces 192.0.2.10 as virtual router 61, here it is 51: both "
                          "answer for it: give both nodes one virtual_router_id"));
  claim_->address = IpAddress::parse("192.0.2.11").value();
  EXPECT_THAT(instance(view()).disagreements(), IsEmpty()) << "it is another instance's";
}

TEST_F(VrrpAnswer, TellsTwoActiveRoutersWhileTheyAreAndForAMinute) {
  vrrp::BothActiveCount& count = group_.routers[0].statistics.both_active;
  count = {.episodes = 1,
           .total = milliseconds{900},
           .longest = milliseconds{900},
           .since = now_ - seconds{2},
           .last_heard = now_};
  EXPECT_THAT(instance(view()).disagreements(),
              ElementsAre(HasSubstr("two routers are active (IPv4), for 2000 ms by now")));
  count.since.reset();
  now_ += seconds{30};
  EXPECT_THAT(instance(view()).disagreements(),
              ElementsAre("two routers were active (IPv4) 30 s ago, for 900 ms in all"));
  now_ += seconds{31};
  EXPECT_THAT(instance(view()).disagreements(), IsEmpty());
}

TEST_F(VrrpAnswer, SaysWhichAddressesAreGatewaysAndLocalOnes) {
  uses_ = {{IpAddress::parse("192.0.2.10").value(), AddressUse::kGateway},
           {IpAddress::parse("2001:db8::10").value(), AddressUse::kLocal},
           {IpAddress::parse("10.9.9.9").value(), AddressUse::kGateway}};
  const auto seen = instance(view());
  EXPECT_THAT(seen.routers(0).addresses(), ElementsAre("192.0.2.10"));
  EXPECT_THAT(seen.routers(0).gateways(), ElementsAre("192.0.2.10"));
  EXPECT_THAT(seen.routers(0).local_addresses(), IsEmpty());
  EXPECT_THAT(seen.routers(1).addresses(), ElementsAre("fe80::1", "2001:db8::10"));
  EXPECT_THAT(seen.routers(1).gateways(), IsEmpty());
  EXPECT_THAT(seen.routers(1).local_addresses(), ElementsAre("2001:db8::10"));
}

TEST_F(VrrpAnswer, SumsUpForTheStatus) {
  group_.is_held = true;
  group_.last_change = {vrrp::State::kBackup, vrrp::State::kActive, "nothing heard",
                        now_ - seconds{75}};
  api::VrrpSummary summary;
  fill(view(), summary);
  EXPECT_EQ(summary.state(), api::ACTIVE);
  EXPECT_EQ(summary.configured_priority(), 150U);
  EXPECT_EQ(summary.reason(), "nothing heard");
  EXPECT_EQ(summary.changed_seconds_ago(), 75U);
  EXPECT_TRUE(summary.held_back());
}

}  // namespace
}  // namespace ballast::control
