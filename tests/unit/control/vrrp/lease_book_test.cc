#include "control/vrrp/lease_book.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

namespace ballast::control {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using vrrp::LeaseMode;
using vrrp::TimePoint;

// A page with two workers that live as long as the test says.
class LeaseBookTest : public testing::Test {
 protected:
  LeaseBookTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "ballast-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    auto page = LeasePageMapping::create(folder_ + "/leases");
    page_ = std::make_shared<const LeasePageMapping>(std::move(page.value()));
    live();
    book_.set_dataplane({page_, 2});
    book_.set_places(
        {{kRouter, {.slot = 5, .port = 0, .port_name = "wan", .advert_interval = kInterval}}});
  }
  ~LeaseBookTest() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] TimePoint now() const { return now_; }
  LeasePage& page() { return page_->page(); }
  static uint64_t ns(TimePoint time) {
    return static_cast<uint64_t>(time.time_since_epoch().count());
  }
  // All threads of the dataplane ran this long ago.
  void live(vrrp::Duration ago = {}) {
    page().main_alive_ns = ns(now() - ago);
    page().worker_alive_ns[0] = ns(now() - ago);
    page().worker_alive_ns[1] = ns(now() - ago);
  }
  [[nodiscard]] std::string held(TimePoint at) {
    const LeaseMasks masks = page().masks(ns(at));
    return std::string((masks.forwarding >> 5 & 1) != 0 ? "forwards" : "") +
           ((masks.answering >> 5 & 1) != 0 ? " answers" : "");
  }

  static constexpr milliseconds kInterval{100};
  static constexpr vrrp::RouterKey kRouter{vrrp::InterfaceIndex{3}, Family::kIpv4,
                                           vrrp::VirtualRouterId{51}};
  std::string folder_;
  std::shared_ptr<const LeasePageMapping> page_;
  TimePoint now_{seconds{1000}};
  LeaseBook book_;
};

TEST_F(LeaseBookTest, WritesEachGradeOfALeaseAndNothingElse) {
  const TimePoint until = now() + seconds{10};
  book_.set_lease(now(), kRouter, LeaseMode::kFull, until);
  EXPECT_EQ(held(now()), "forwards answers");
  EXPECT_EQ(held(until), "");
  book_.set_lease(now(), kRouter, LeaseMode::kForward, until);
  EXPECT_EQ(held(now()), "forwards");
  book_.set_lease(now(), kRouter, LeaseMode::kFull, until);
  book_.set_lease(now(), kRouter, LeaseMode::kNone, now());
  EXPECT_EQ(held(now()), "");
  book_.set_lease(now(), kRouter, LeaseMode::kForward, until);
  EXPECT_EQ(held(now()), "forwards") << "what was left in the page does not answer";
  EXPECT_EQ(page().masks(ns(now())).forwarding, 1U << 0 | 1U << 5);
}

TEST_F(LeaseBookTest, GivesNothingToADataplaneThatShowsNoSignOfLife) {
  live(kInterval / 4 + milliseconds{5});
  book_.set_lease(now(), kRouter, LeaseMode::kFull, now() + seconds{10});
  EXPECT_EQ(held(now()), "");
  EXPECT_EQ(book_.fault(now()), "") << "not yet a fault";
  EXPECT_EQ(held(now()), "");
  live();
  EXPECT_EQ(book_.fault(now()), "");
  EXPECT_EQ(held(now()), "forwards answers") << "the next pulse makes up for it";
}

TEST_F(LeaseBookTest, GoesOnWithTheLeaseThatADataplaneHasWhileItShowsNoSignOfLife) {
  const TimePoint first = now() + milliseconds{240};
  book_.set_lease(now(), kRouter, LeaseMode::kFull, first);
  live(milliseconds{60});
  book_.set_lease(now(), kRouter, LeaseMode::kFull, first + kInterval);
  EXPECT_EQ(page().answer_until_ns[5].load(), ns(first));
  EXPECT_EQ(page().forward_until_ns[5].load(), ns(first));
}

TEST_F(LeaseBookTest, TakesBackFromADataplaneThatShowsNoSignOfLife) {
  const TimePoint until = now() + seconds{10};
  book_.set_lease(now(), kRouter, LeaseMode::kFull, until);
  live(seconds{1});
  book_.set_lease(now(), kRouter, LeaseMode::kForward, until + seconds{1});
  EXPECT_EQ(held(now()), "forwards");
  book_.set_lease(now(), kRouter, LeaseMode::kNone, now());
  EXPECT_EQ(held(now()), "");
}

TEST_F(LeaseBookTest, NamesTheThreadThatStandsStill) {
  EXPECT_EQ(book_.fault(now()), "");
  page().worker_alive_ns[1] = ns(now() - milliseconds{600});
  EXPECT_THAT(book_.fault(now()), HasSubstr("worker 1 of the dataplane has stood still"));
  live();
  page().main_alive_ns = ns(now() - seconds{6});
  EXPECT_THAT(book_.fault(now()), HasSubstr("main thread has stood still"));
  live();
  EXPECT_EQ(book_.fault(now()), "");
  page().worker_alive_ns[2] = 1;
  EXPECT_EQ(book_.fault(now()), "") << "there are two workers";
  book_.set_dataplane({});
  EXPECT_EQ(book_.fault(now()), "the dataplane's lease page is not there");
}

// Time is the test's: adverts every interval, and a port that takes as many frames as it says.
TEST_F(LeaseBookTest, NoticesAPortThatTakesNoAdverts) {
  page().twin_transmitted[0] = 1;
  const auto advertise = [&](int count, bool leaves) {
    std::string fault;
    for (int i = 0; i < count && fault.empty(); ++i) {
      live();
      book_.set_lease(now(), kRouter, LeaseMode::kFull, now() + seconds{1});
      page().twin_transmitted[0] += leaves ? 1 : 0;
      fault = book_.fault(now());
      now_ += milliseconds{20};
    }
    return fault;
  };
  EXPECT_EQ(advertise(40, true), "");
  EXPECT_THAT(advertise(60, false), HasSubstr("port wan sends nothing"));
  now_ += LeaseBook::kTransmitRetry;
  live();
  EXPECT_EQ(book_.fault(now()), "") << "to be tried again";
}

TEST_F(LeaseBookTest, TellsANewDataplaneWhatIsHeldAndForgetsRoutersThatAreGone) {
  book_.set_lease(now(), kRouter, LeaseMode::kFull, now() + seconds{10});
  auto other = LeasePageMapping::create(folder_ + "/other");
  const auto fresh = std::make_shared<const LeasePageMapping>(std::move(other.value()));
  fresh->page().worker_alive_ns[0] = ns(now());
  fresh->page().main_alive_ns = ns(now());
  book_.set_dataplane({fresh, 1});
  EXPECT_EQ(book_.fault(now()), "");
  EXPECT_TRUE(LeaseBook::is_held(fresh->page(), 5, now()));
  book_.set_places({});
  EXPECT_FALSE(LeaseBook::is_held(fresh->page(), 5, now()));
  book_.set_lease(now(), kRouter, LeaseMode::kFull, now() + seconds{10});
  EXPECT_FALSE(LeaseBook::is_held(fresh->page(), 5, now()));
}

TEST_F(LeaseBookTest, EndsWhatADataplaneHoldsThatIsGivenUp) {
  book_.set_lease(now(), kRouter, LeaseMode::kFull, now() + seconds{10});
  book_.set_dataplane({});
  EXPECT_EQ(held(now()), "") << "it may live on, and the addresses are somebody else's soon";
}

TEST_F(LeaseBookTest, LetsGoOfALeaseThatASuccessorHolds) {
  const TimePoint until = now() + seconds{10};
  book_.set_lease(now(), kRouter, LeaseMode::kFull, until);
  book_.let_go();
  book_.set_lease(now(), kRouter, LeaseMode::kNone, now());
  (void)book_.fault(now());
  EXPECT_EQ(held(now()), "forwards answers");
}

TEST_F(LeaseBookTest, EndsLeasesOfRoutersThatAreNotThereAnyMore) {
  book_.set_lease(now(), kRouter, LeaseMode::kFull, now() + seconds{10});
  VrrpSettings other;
  other.interface = "wan";
  other.virtual_router_id = 7;
  other.addresses = {IpAddress::v4({192, 0, 2, 1})};
  LeaseSlots slots;
  slots.set({other});
  LeaseBook::end_all_but(page(), slots);
  EXPECT_EQ(held(now()), "");
  EXPECT_EQ(page().masks(ns(now())).forwarding, 1U) << "slot 0 never ends";
}

TEST_F(LeaseBookTest, IsPatientForAsLongAsALeaseLastsAndNotLonger) {
  live(milliseconds{230});
  EXPECT_EQ(book_.fault(now()), "");
  live(milliseconds{250});
  EXPECT_THAT(book_.fault(now()), HasSubstr("has stood still for more than 240 ms"));
}

TEST_F(LeaseBookTest, AsksForARoundOfAnnouncements) {
  const TimePoint at = now();
  book_.announce(kRouter, at);
  EXPECT_EQ(page().announce_at_ns[5].load(), ns(at));
  book_.announce({vrrp::InterfaceIndex{4}, Family::kIpv4, vrrp::VirtualRouterId{51}}, at);
}

}  // namespace
}  // namespace ballast::control
