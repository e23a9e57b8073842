// What people see of VRRP, letter by letter.
#include "control/ctl/vrrp_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/ctl/status_view.h"
#include "control/ctl/vrrp_words.h"
#include "tests/unit/control/ctl/vrrp_sample.h"

namespace ballast::control {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr Style kPlain{};

TEST(VrrpView, ListsInstancesAndBelowThemWhatNeedsAttention) {
  EXPECT_EQ(render_vrrp(two_vrrp_instances(), kPlain),
            R"(Name  Group  Interface ID State  Priority  Heard last                  For Because
front -      wan       51 ACTIVE 90 of 150 10.0.0.2 (100), 3h12m ago 3h12m nothing heard from 10.0.0.2 for 361 ms
back  inside lan        7 FAULT  100       nobody heard                12s port lan: link is down

front: disagreement: 10.0.0.2 announces 192.0.2.12, which is not configured here
front: down: script check-bgp (weight -60, priority 90 of 150): exit 1: session down
back: FAULT: port lan: link is down
back: no adverts: IPv6: they cannot be sent or heard: bind: no such device
back: moved away by hand: takes the addresses back only if nobody else has them; `ballastctl vrrp release inside` lets it take part again
12 adverts are unused: no virtual router of this id and family is configured: last from 10.0.0.2 5.2 s ago (id 77)
)");
}

TEST(VrrpView, ShowsNoGroupsAndNoRemarksWhereThereAreNone) {
  api::ListVrrpAnswer answer;
  auto& instance = *answer.add_instances();
  instance.set_name("front");
  instance.set_interface("wan");
  instance.set_virtual_router_id(51);
  instance.set_state(api::BACKUP);
  instance.set_priority(100);
  instance.set_configured_priority(100);
  answer.set_real_time("SCHED_FIFO 50");
  EXPECT_EQ(render_vrrp(answer, kPlain),
            "Name  Interface ID State  Priority Heard last   For Because\n"
            "front wan       51 BACKUP 100      nobody heard   -\n");
  EXPECT_EQ(render_vrrp({}, kPlain),
            "no [[vrrp]] is configured: this node always holds its addresses\n");
}

TEST(VrrpView, NamesTheRouterHeardLastOfBothFamilies) {
  api::ListVrrpAnswer answer;
  auto& instance = *answer.add_instances();
  for (const uint32_t family : {4u, 6u}) {
    auto& router = *instance.add_routers();
    router.set_family(family);
    router.add_peers()->set_address("never counted");
    auto& peer = *router.add_peers();
    peer.set_address(family == 4 ? "10.0.0.2" : "fe80::2");
    peer.set_priority(family == 4 ? 150 : 0);
    peer.set_last_milliseconds_ago(family == 4 ? 9000 : 80);
  }
  EXPECT_THAT(render_vrrp(answer, kPlain), HasSubstr(" fe80::2 (released) "));
  answer.mutable_instances(0)->mutable_routers(1)->mutable_peers(1)->set_last_milliseconds_ago(
      86'400'000);
  EXPECT_THAT(render_vrrp(answer, kPlain), HasSubstr(" 10.0.0.2 (150) "));
  answer.mutable_instances(0)->mutable_routers(0)->clear_peers();
  EXPECT_THAT(render_vrrp(answer, kPlain), HasSubstr(" fe80::2 (released), 1d0h ago "));
}

TEST(VrrpView, SaysWhenTheFamiliesOfOneInstanceAreNotInTheSameState) {
  api::ListVrrpAnswer answer;
  auto& instance = *answer.add_instances();
  instance.set_name("front");
  instance.set_state(api::BACKUP);
  for (const uint32_t family : {4u, 6u}) {
    auto& router = *instance.add_routers();
    router.set_family(family);
    router.set_state(family == 4 ? api::ACTIVE : api::BACKUP);
  }
  EXPECT_THAT(render_vrrp(answer, kPlain), HasSubstr("front: IPv4 is ACTIVE\n"
                                                     "front: IPv6 is BACKUP\n"));
  instance.mutable_routers(1)->set_state(api::ACTIVE);
  EXPECT_THAT(render_vrrp(answer, kPlain), Not(HasSubstr("IPv4 is")));
}

TEST(VrrpView, ForgetsStrangersThatAreGoneAndNamesAThreadThatMayBeLate) {
  auto answer = two_vrrp_instances();
  answer.mutable_strangers(0)->set_last_milliseconds_ago(60'000);
  answer.set_real_time("no real-time priority: Operation not permitted");
  const auto text = render_vrrp(answer, kPlain);
  EXPECT_THAT(text, Not(HasSubstr("unused")));
  EXPECT_THAT(text, HasSubstr("\nno real-time priority: Operation not permitted\n"));
  EXPECT_THAT(render_vrrp_details(answer, kPlain), HasSubstr("vrid_unknown"));
}

TEST(VrrpView, ShowsAllOfAnInstance) {
  auto answer = two_vrrp_instances();
  EXPECT_EQ(render_vrrp_details(answer, kPlain), R"(instance     front
state        ACTIVE
priority     90 of 150
preempt      no: a healthy active router keeps the addresses
interface    wan, virtual router 51
last change  BACKUP -> ACTIVE 3h12m ago (2026-03-01 04:05:06.123 UTC): nothing heard from 10.0.0.2 for 361 ms
disagreement 10.0.0.2 announces 192.0.2.12, which is not configured here
down         script check-bgp (weight -60, priority 90 of 150): exit 1: session down

Track            Standing When down    Seen last
port wan         up       FAULT        link is up
script check-bgp DOWN     priority -60 exit 1: session down

IPv4: ACTIVE, VRRP version 3
  addresses   192.0.2.10, 192.0.2.11
  virtual MAC 00:00:5e:00:01:33
  lease       full: the dataplane answers for the addresses and forwards
  sends from  10.0.0.1
  interval    100 ms
  sent        115200 adverts, 1 of them priority 0; at most 1.23 ms late
  received    55 adverts, 2 of them priority 0
  active      entered 2 times, left 1 time
  both active 1 time, 12 ms in all, the longest 12 ms
  frozen      never
  send errors 0

  Peer     Priority Interval Adverts     Heard LargestGap Checksum Faults
  10.0.0.2      100   100 ms      55 3h12m ago     120 ms rfc5798  interval_differs 3
  10.0.0.9        -        -       0     never          - -        ttl 7

  Fault            Count Advert    Last from   Ago Meaning
  ttl                  7 discarded 10.0.0.2  5.2 s not 255
  interval_differs     3 counted   10.0.0.2  5.2 s another interval

instance    back
group       inside
state       FAULT
priority    100
preempt     yes: takes the addresses from a lower router
interface   lan, virtual router 7
last change BACKUP -> FAULT 12s ago: port lan: link is down
FAULT       port lan: link is down
no adverts  IPv6: they cannot be sent or heard: bind: no such device
note        moved away by hand: takes the addresses back only if nobody else has them; `ballastctl vrrp release inside` lets it take part again

Track    Standing When down Seen last
port lan DOWN     FAULT     link is down

IPv6: FAULT, VRRP version 3
  addresses   fe80::10
  virtual MAC none: the port's own is used
  lease       none: the dataplane leaves the addresses alone
  sends from  no address yet
  interval    1 s
  sent        0 adverts, 0 of them priority 0; at most 0 ms late
  received    0 adverts, 0 of them priority 0
  active      entered 0 times, left 0 times
  both active never
  frozen      2 times: this node was not running for too long
  send errors 0

  nobody heard

real-time priority of the adverts' thread: SCHED_FIFO 50

For nobody here Count Advert    Last from   Ago Meaning
vrid_unknown       12 discarded 10.0.0.2  5.2 s no virtual router of this id and family is configured
the last of them was for virtual router 77
)");
}

TEST(VrrpView, ShowsGatewaysAndLocalAddressesAsSuch) {
  api::ListVrrpAnswer answer;
  *answer.add_instances() = active_vrrp();
  auto& router = *answer.mutable_instances(0)->mutable_routers(0);
  for (const char* address : {"10.0.0.1", "10.0.0.200", "10.0.0.201", "10.0.0.202"}) {
    router.add_addresses(address);
  }
  router.add_gateways("10.0.0.1");
  router.add_local_addresses("10.0.0.200");
  router.add_local_addresses("10.0.0.201");
  router.add_local_addresses("10.0.0.202");
  EXPECT_THAT(render_vrrp_details(answer, kPlain),
              HasSubstr("\n  addresses   192.0.2.10, 192.0.2.11\n"
                        "  gateways    10.0.0.1\n"
                        "  local       10.0.0.200-10.0.0.202\n"));
}

TEST(VrrpView, SaysWhatABackupHasLearntAndAnActiveRouterHasForgotten) {
  auto answer = two_vrrp_instances();
  EXPECT_THAT(render_vrrp_details(answer, kPlain), Not(HasSubstr("learnt")));
  answer.mutable_instances(0)->mutable_routers(0)->set_state(api::BACKUP);
  EXPECT_THAT(render_vrrp_details(answer, kPlain),
              HasSubstr("interval    100 ms; learnt from the active router: 1 s\n"));
}

TEST(VrrpView, ColoursStates) {
  const auto text = render_vrrp(two_vrrp_instances(), Style{true});
  EXPECT_THAT(text, HasSubstr("\x1b[32mACTIVE\x1b[0m"));
  EXPECT_THAT(text, HasSubstr("\x1b[1;31mFAULT\x1b[0m"));
  EXPECT_THAT(render_vrrp(two_vrrp_instances(), kPlain), Not(HasSubstr("\x1b")));
  EXPECT_THAT(render_vrrp_details(two_vrrp_instances(), kPlain), Not(HasSubstr("\x1b")));
}

// Every text of a message and of those in it that says something, replaced.
void poison(google::protobuf::Message& message) {
  const auto& reflection = *message.GetReflection();
  const auto& descriptor = *message.GetDescriptor();
  using Field = google::protobuf::FieldDescriptor;
  for (int index = 0; index < descriptor.field_count(); ++index) {
    const Field* field = descriptor.field(index);
    const bool repeated = field->is_repeated();
    const int size = repeated ? reflection.FieldSize(message, field) : 1;
    for (int item = 0; item < size; ++item) {
      if (field->cpp_type() == Field::CPPTYPE_STRING && repeated) {
        reflection.SetRepeatedString(&message, field, item, "\x1b[2J\n");
      } else if (field->cpp_type() == Field::CPPTYPE_STRING) {
        const std::string before = reflection.GetString(message, field);
        reflection.SetString(&message, field, before.empty() ? "" : "\x1b[2J\n");
      } else if (field->cpp_type() == Field::CPPTYPE_MESSAGE && repeated) {
        poison(*reflection.MutableRepeatedMessage(&message, field, item));
      } else if (field->cpp_type() == Field::CPPTYPE_MESSAGE &&
                 reflection.HasField(message, field)) {
        poison(*reflection.MutableMessage(&message, field));
      }
    }
  }
}

TEST(VrrpView, LetsNoTextCommandTheTerminal) {
  auto answer = two_vrrp_instances();
  const auto lines = [](const std::string& text) {
    return std::count(text.begin(), text.end(), '\n');
  };
  auto late = answer;
  late.set_real_time("why not");
  const auto list_lines = lines(render_vrrp(late, kPlain));
  const auto detail_lines = lines(render_vrrp_details(answer, kPlain));
  poison(answer);
  EXPECT_THAT(render_vrrp(answer, kPlain), Not(HasSubstr("\x1b")));
  EXPECT_EQ(lines(render_vrrp(answer, kPlain)), list_lines);
  EXPECT_THAT(render_vrrp_details(answer, kPlain), Not(HasSubstr("\x1b")));
  EXPECT_EQ(lines(render_vrrp_details(answer, kPlain)), detail_lines);
  EXPECT_EQ(render_vrrp_names(answer), "?[2J?\n");
  api::MoveVrrpAnswer moved;
  moved.add_instances("\x1b[2J\n");
  moved.set_now_active("\x1b[2J\n");
  EXPECT_THAT(render_failover(moved, nullptr, "\x1b"), Not(HasSubstr("\x1b")));
  moved.clear_now_active();
  EXPECT_THAT(render_failover(moved, &answer, "\x1b"), Not(HasSubstr("\x1b")));
  EXPECT_THAT(render_release(moved), Not(HasSubstr("\x1b")));
}

TEST(VrrpView, TakesTheLargestNumbersAndStatesItDoesNotKnow) {
  auto answer = two_vrrp_instances();
  auto& instance = *answer.mutable_instances(0);
  instance.set_state(static_cast<api::VrrpState>(9));
  instance.mutable_last_change()->set_at_milliseconds(std::numeric_limits<int64_t>::min());
  instance.mutable_tracks(0)->set_standing(static_cast<api::VrrpTrack::Standing>(9));
  auto& peer = *instance.mutable_routers(0)->mutable_peers(0);
  peer.set_last_milliseconds_ago(std::numeric_limits<uint64_t>::max());
  peer.set_largest_gap_microseconds(std::numeric_limits<uint64_t>::max());
  EXPECT_THAT(render_vrrp(answer, kPlain), HasSubstr(" ? "));
  EXPECT_THAT(render_vrrp_details(answer, kPlain), HasSubstr("213503982d"));
  instance.mutable_last_change()->set_at_milliseconds(std::numeric_limits<int64_t>::max());
  EXPECT_THAT(render_vrrp_details(answer, kPlain), HasSubstr(".807 UTC)"));
}

TEST(VrrpView, SaysWhoHasTheAddressesAfterAMove) {
  api::MoveVrrpAnswer answer;
  answer.add_instances("front");
  answer.add_instances("back");
  answer.set_now_active("10.0.0.2");
  answer.set_milliseconds(12);
  EXPECT_EQ(render_failover(answer, nullptr, "inside"),
            "front, back: moved to 10.0.0.2 in 12 ms\n"
            "does not come back by preemption until `ballastctl vrrp release inside`\n");
  answer.clear_now_active();
  answer.set_milliseconds(3000);
  api::ListVrrpAnswer after;
  after.add_instances()->set_state(api::ACTIVE);
  EXPECT_THAT(render_failover(answer, &after, "inside"),
              StartsWith("front, back: given away, but no other router has taken the addresses "
                         "over within 3 s: this node is active again\n"));
  after.add_instances()->set_state(api::BACKUP);
  EXPECT_THAT(render_failover(answer, &after, "inside"),
              HasSubstr(": this node is ACTIVE, BACKUP now and takes them back when it hears "
                        "nobody\n"));
  EXPECT_THAT(render_failover(answer, nullptr, "inside"),
              HasSubstr(": this node takes them back when it hears nobody; `ballastctl vrrp` says "
                        "who has them\n"));
  EXPECT_EQ(render_release(answer),
            "front, back: released: takes part in elections as configured\n");
  EXPECT_EQ(render_release({}), "nothing was held back\n");
}

TEST(VrrpView, NamesInstancesAndGroupsOnce) {
  auto answer = two_vrrp_instances();
  auto& third = *answer.add_instances();
  third.set_name("side");
  third.set_group("inside");
  EXPECT_EQ(render_vrrp_names(answer), "back\nfront\ninside\nside\n");
}

TEST(VrrpWords, AreShortAndExact) {
  EXPECT_EQ(priority_text(150, 150), "150");
  EXPECT_EQ(priority_text(90, 150), "90 of 150");
  EXPECT_EQ(priority_text(180, 150), "150+30");
  EXPECT_EQ(priority_text(90, 0), "90") << "not said";
  EXPECT_EQ(lapse(0), "0 ms");
  EXPECT_EQ(lapse(850), "0.85 ms");
  EXPECT_EQ(lapse(10'000), "10 ms");
  EXPECT_EQ(lapse(99'999), "100 ms");
  EXPECT_EQ(lapse(999'999), "999 ms");
  EXPECT_EQ(lapse(1'000'000), "1.0 s");
  EXPECT_EQ(lapse(9'999'999), "9.9 s");
  EXPECT_EQ(lapse(10'000'000), "10s");
  EXPECT_EQ(interval_text(100), "100 ms");
  EXPECT_EQ(interval_text(3000), "3 s");
  EXPECT_EQ(interval_text(0), "0 ms");
}

// ---------------------------------------------------------------- status

api::StatusAnswer running() {
  api::StatusAnswer status;
  status.mutable_dataplane()->set_connected(true);
  status.mutable_dataplane()->set_in_sync(true);
  auto& web = *status.add_services();
  web.set_name("web");
  web.set_servers(3);
  web.set_servers_up(3);
  return status;
}

api::VrrpSummary& add_summary(api::StatusAnswer& status, const char* name, api::VrrpState state) {
  auto& summary = *status.add_vrrp();
  summary.set_name(name);
  summary.set_state(state);
  summary.set_priority(150);
  summary.set_reason("because");
  summary.set_changed_seconds_ago(75);
  return summary;
}

TEST(VrrpInStatus, SaysOnABackupWhereTheTrafficIsAndThatAllIsWell) {
  auto status = running();
  add_summary(status, "front", api::BACKUP);
  EXPECT_THAT(render_status(status, kPlain),
              StartsWith("OK: 1 service, 3 of 3 servers up; this node is BACKUP, traffic goes to "
                         "the active one\n\n"));
  EXPECT_THAT(render_status(status, kPlain),
              HasSubstr("\nvrrp          front: BACKUP, priority 150, for 1m15s: because\n"));
}

TEST(VrrpInStatus, SaysWhichInstancesAreWhereWhenTheLoadIsShared) {
  auto status = running();
  add_summary(status, "front", api::ACTIVE);
  EXPECT_THAT(render_status(status, kPlain),
              StartsWith("OK: 1 service, 3 of 3 servers up; this node is ACTIVE\n\n"));
  add_summary(status, "back", api::BACKUP);
  add_summary(status, "side", api::BACKUP);
  EXPECT_THAT(render_status(status, kPlain), StartsWith("OK: 1 service, 3 of 3 servers up; this "
                                                        "node is ACTIVE for front; BACKUP for "
                                                        "back, side\n\n"));
  for (int more = 0; more < 3; ++more) {
    add_summary(status, "more", api::BACKUP);
  }
  EXPECT_THAT(render_status(status, kPlain), HasSubstr("BACKUP for 5 instances\n"));
  EXPECT_THAT(render_status(status, Style{true}), HasSubstr("\x1b[32mACTIVE\x1b[0m for front"));
}

TEST(VrrpInStatus, CountsAFaultAndADisagreementAsProblems) {
  auto status = running();
  auto& front = add_summary(status, "front", api::FAULT);
  front.set_configured_priority(150);
  front.add_faults("port wan: link is down");
  front.add_faults("health checks have not run");
  auto& back = add_summary(status, "back", api::ACTIVE);
  back.set_priority(90);
  back.set_configured_priority(150);
  back.set_held_back(true);
  back.add_disagreements("10.0.0.2 announces another interval");
  add_summary(status, "side", api::INITIALIZE).set_name("side\n");
  EXPECT_THAT(
      render_status(status, kPlain),
      StartsWith(
          R"(DEGRADED: 1 service, 3 of 3 servers up; this node is ACTIVE for back; FAULT for front; INITIALIZE for side?
  DEGRADED vrrp front: FAULT: port wan: link is down
  DEGRADED vrrp front: FAULT: health checks have not run
  DEGRADED vrrp back:  disagreement: 10.0.0.2 announces another interval
  DEGRADED vrrp side?: INITIALIZE: takes no part in elections
  NOTE     vrrp back:  moved away by hand: takes the addresses back only if nobody else has them; `ballastctl vrrp release back` lets it take part again

)"));
  EXPECT_THAT(render_status(status, kPlain), HasSubstr("back: ACTIVE, priority 90 of 150, for"));
}

}  // namespace
}  // namespace ballast::control
