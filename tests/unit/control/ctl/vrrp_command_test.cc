// `ballastctl vrrp ...` and `ballastctl restart`, asked of a ballastd that answers what a test
// says.
#include <future>

#include <gmock/gmock.h>

#include "tests/unit/control/ctl/running_ballastctl.h"
#include "tests/unit/control/ctl/vrrp_sample.h"

namespace ballast::control {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST_F(Ballastctl, ListsVrrpWithAndWithoutTheWord) {
  std::vector<std::string> asked;
  handler_.on_list_vrrp = [&](const std::string& name) {
    asked.push_back(name);
    return two_vrrp_instances();
  };
  RunningServer server(handler_, options());
  const auto outcome = ask({"vrrp"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, StartsWith("Name  Group "));
  EXPECT_EQ(ask({"vrrp", "list"}).out, outcome.out);
  EXPECT_THAT(ask({"vrrp", "show", "front"}).out, StartsWith("instance "));
  EXPECT_THAT(asked, testing::ElementsAre("", "", "front"));
  EXPECT_EQ(ask({"vrrp-names"}).out, "back\nfront\ninside\n");
}

TEST_F(Ballastctl, PrintsEveryFieldOfVrrpAsJson) {
  handler_.on_list_vrrp = [](const std::string&) { return two_vrrp_instances(); };
  RunningServer server(handler_, options());
  for (const auto& command : {std::vector<std::string>{"vrrp", "--json"},
                              {"vrrp", "list", "--json"},
                              {"vrrp", "show", "front", "--json"}}) {
    const auto document = parsed(ask(command).out);
    const auto& front =
        document.fields().at("instances").list_value().values(0).struct_value().fields();
    EXPECT_EQ(front.at("state").string_value(), "ACTIVE");
    EXPECT_EQ(front.at("lastChange").struct_value().fields().at("reason").string_value(),
              "nothing heard from 10.0.0.2 for 361 ms");
    EXPECT_FALSE(front.at("heldBack").bool_value()) << "there also when it is false";
    const auto& router = front.at("routers").list_value().values(0).struct_value().fields();
    EXPECT_EQ(router.at("advertsSent").string_value(), "115200");
    EXPECT_EQ(document.fields().at("realTime").string_value(), "SCHED_FIFO 50");
  }
}

TEST_F(Ballastctl, SaysWhichNamesThereAreWhenOneIsNotKnown) {
  auto unknown = failure(api::Failure::NOT_FOUND, "no VRRP instance or group \"frnt\"");
  unknown.add_details("there are: back, front, inside (group)");
  handler_.on_list_vrrp = [&](const std::string&) { return tl::unexpected(unknown); };
  handler_.on_move_vrrp = [&](const auto&) { return tl::unexpected(unknown); };
  RunningServer server(handler_, options());
  for (const char* command : {"show", "failover", "release"}) {
    const auto outcome = ask({"vrrp", command, "frnt"});
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(outcome.err,
              "ballastctl: no VRRP instance or group \"frnt\"\n"
              "  there are: back, front, inside (group)\n");
    EXPECT_EQ(error_code(ask({"vrrp", command, "frnt", "--json"}).out), "NOT_FOUND");
  }
}

TEST_F(Ballastctl, MovesAndReleasesByName) {
  std::vector<api::MoveVrrpRequest> seen;
  handler_.on_move_vrrp = [&](const auto& request) {
    seen.push_back(request);
    api::MoveVrrpAnswer answer;
    answer.add_instances(request.name());
    if (request.what() == api::MoveVrrpRequest::FAILOVER) {
      answer.set_now_active("10.0.0.2");
      answer.set_milliseconds(12);
    }
    return answer;
  };
  RunningServer server(handler_, options());
  const auto moved = ask({"vrrp", "failover", "front"});
  EXPECT_EQ(moved.exit_code, 0) << moved.err;
  EXPECT_THAT(moved.out, StartsWith("front: moved to 10.0.0.2 in 12 ms\n"));
  const auto released = ask({"vrrp", "release", "front"});
  EXPECT_EQ(released.exit_code, 0) << released.err;
  EXPECT_THAT(released.out, StartsWith("front: released"));
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].what(), api::MoveVrrpRequest::FAILOVER);
  EXPECT_EQ(seen[1].what(), api::MoveVrrpRequest::RELEASE);
}

TEST_F(Ballastctl, ExitsWithOneWhenNobodyTakesTheAddresses) {
  handler_.on_move_vrrp = [](const auto& request) {
    api::MoveVrrpAnswer answer;
    answer.add_instances(request.name());
    answer.set_milliseconds(3000);
    return answer;
  };
  handler_.on_list_vrrp = [](const std::string&) {
    api::ListVrrpAnswer answer;
    *answer.add_instances() = active_vrrp();
    return answer;
  };
  RunningServer server(handler_, options());
  const auto outcome = ask({"vrrp", "failover", "front"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.out, HasSubstr("over within 3 s: this node is active again\n"));
  const auto json = ask({"vrrp", "failover", "front", "--json"});
  EXPECT_EQ(json.exit_code, 1);
  EXPECT_EQ(parsed(json.out).fields().at("nowActive").string_value(), "");
}

// ---------------------------------------------------------------- restart

class Restart : public Ballastctl {
 protected:
  // Answers as one that has run for `uptime`; `after` is called with the number of the question.
  void answer_status(const char* version, uint64_t uptime, const std::function<void(int)>& after) {
    handler_.on_status = [=, asked = 0](const Peer&, const api::StatusRequest&, auto done) mutable {
      api::StatusAnswer status;
      status.set_version(version);
      status.set_pid(4711);
      status.set_uptime_seconds(uptime);
      done(status);
      after(++asked);
    };
  }
  std::future<Outcome> ask_later(std::vector<std::string> arguments) {
    return std::async(std::launch::async, [this, arguments] { return ask(arguments); });
  }
};

TEST_F(Restart, WaitsUntilTheNewOneAnswers) {
  handler_.restart_answer->set_milliseconds(2400);
  std::promise<void> going;
  answer_status("0.1.0", 5000, [&going](int asked) {
    if (asked == 2) {  // on the connection that has seen the answer
      going.set_value();
    }
  });
  auto old = std::make_unique<RunningServer>(handler_, options());
  auto outcome = ask_later({"restart"});
  going.get_future().wait();
  old.reset();
  answer_status("0.2.0", 0, [](int) {});
  const RunningServer fresh(handler_, options());
  const auto result = outcome.get();
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, StartsWith("ballastd restarts in place; forwarding goes on, and the "
                                     "addresses are held for 2.4 s\n"
                                     "ballastd 0.2.0 (was 0.1.0) answers, pid 4711, "));
}

TEST_F(Restart, IsNotFooledByAnotherBallastdThatRanBefore) {
  std::promise<void> going;
  answer_status("0.1.0", 5000, [&going](int asked) {
    if (asked == 2) {
      going.set_value();
    }
  });
  auto old = std::make_unique<RunningServer>(handler_, options());
  auto outcome = ask_later({"restart", "--json", "--timeout", "0.5"});
  going.get_future().wait();
  old.reset();
  answer_status("0.1.0", 5000, [](int) {});
  const RunningServer same(handler_, options());
  const auto result = outcome.get();
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(error_code(result.out), "NOT_BACK");
}

TEST_F(Restart, FailsWhenTheOldOneStays) {
  RunningServer server(handler_, options());
  const auto outcome = ask({"restart", "--timeout", "0.2"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.out, "ballastd restarts in place; forwarding goes on\n");
  EXPECT_THAT(outcome.err, HasSubstr("has not restarted within 200 ms"));
  EXPECT_EQ(error_code(ask({"restart", "--timeout", "0.2", "--json"}).out), "NOT_RESTARTED");
}

TEST_F(Restart, FailsWhenNobodyComesBack) {
  std::promise<void> going;
  answer_status("0.1.0", 5000, [&going](int asked) {
    if (asked == 2) {
      going.set_value();
    }
  });
  auto old = std::make_unique<RunningServer>(handler_, options());
  auto outcome = ask_later({"restart", "--timeout", "0.3"});
  going.get_future().wait();
  old.reset();
  const auto result = outcome.get();
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, HasSubstr("ballastd is gone and does not answer within 300 ms"));
  EXPECT_THAT(result.err, HasSubstr("\n  ballastd is not running"));
}

TEST_F(Restart, PassesARefusalOn) {
  handler_.restart_answer =
      tl::unexpected(failure(api::Failure::REFUSED, "the configuration file is invalid"));
  RunningServer server(handler_, options());
  const auto outcome = ask({"restart"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(outcome.err, "ballastctl: the configuration file is invalid\n");
}

}  // namespace
}  // namespace ballast::control
