// ballastd's link against a dataplane that is played by the contract's own server.
#include "control/dataplane_link/link.h"

#include <gmock/gmock.h>

#include "tests/unit/api/contract_fixture.h"

namespace ballast::control {
namespace {

using ballast::api::Resource;
using ballast::api::Transaction;
using ballast::api::TransactionAnswer;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

Resource service(const std::string& name, const std::string& scheduler = "rr") {
  Resource resource;
  resource.mutable_service()->set_name(name);
  resource.mutable_service()->set_scheduler(scheduler);
  return resource;
}

Resource route(const std::string& prefix, uint32_t weight = 1) {
  Resource resource;
  resource.mutable_route()->set_prefix(prefix);
  resource.mutable_route()->add_hops()->set_weight(weight);
  return resource;
}

std::vector<std::string> upserts(const Transaction& transaction) {
  std::vector<std::string> keys;
  for (const Resource& resource : transaction.upsert()) {
    keys.push_back(key_of(resource));
  }
  return keys;
}

class Link : public ballast::api::ContractFixture {
 protected:
  void connect_link() {
    link = std::make_unique<DataplaneLink>(
        context, path,
        DataplaneLink::Callbacks{
            .on_state =
                [this](const auto& hello, const auto& state) {
                  hellos.push_back(hello);
                  states.push_back(state);
                },
            .on_disconnect = [this](const std::string& why) { losses.push_back(why); },
            .on_neighbor_needed = [this](const auto& needed) { needs.push_back(needed.address()); },
            .on_port_changed = [](const auto&) {},
            .on_transaction = [this](const auto& verdict) { answered.push_back(verdict); },
            .on_fenced = [](const auto&) {}});
    ASSERT_TRUE(run_until([this] { return !states.empty(); }));
  }
  // The next transaction that arrives, taken from the handler.
  ballast::api::RecordingHandler::Asked next() {
    EXPECT_TRUE(run_until([this] { return !handler.transactions.empty(); }));
    if (handler.transactions.empty()) {
      return {{}, [](const TransactionAnswer&) {}};
    }
    auto asked = std::move(handler.transactions.front());
    handler.transactions.erase(handler.transactions.begin());
    return asked;
  }
  Transaction accept_next() {
    auto asked = next();
    accept(asked);
    return asked.request;
  }
  void accept(const ballast::api::RecordingHandler::Asked& asked) {
    TransactionAnswer answer;
    answer.set_accepted(true);
    answer.set_generation(asked.request.generation());
    handler.generation = asked.request.generation();
    asked.answer(answer);
    run_ready();
  }
  void refuse(const ballast::api::RecordingHandler::Asked& asked, const std::string& what) {
    TransactionAnswer answer;
    answer.set_generation(handler.generation);
    ballast::api::Refusal& refusal = *answer.add_refusals();
    refusal.set_what(what);
    refusal.set_why("no");
    asked.answer(answer);
    run_ready();
  }
  bool quiet() {
    run_ready();
    return handler.transactions.empty();
  }
  // Connected, started, and the full state (`web`) accepted.
  void in_force() {
    start();
    connect_link();
    link->update(service("web"));
    link->start();
    accept_next();
    ASSERT_TRUE(run_until([this] { return link->in_sync(); }));
  }
  void propose(const Resources& wanted, const std::vector<std::string>& unwanted = {}) {
    link->propose(wanted, unwanted,
                  [this](const DataplaneLink::Verdict& verdict) { verdicts.push_back(verdict); });
  }

  void wait_for(const std::string& key, std::chrono::milliseconds limit = std::chrono::minutes(1)) {
    link->when_confirmed(key, limit,
                         [this](bool confirmed) { confirmations.push_back(confirmed); });
  }

  std::unique_ptr<DataplaneLink> link;
  std::vector<bool> confirmations;
  std::vector<ballast::api::HelloAnswer> hellos;
  std::vector<ballast::api::State> states;
  std::vector<std::string> losses;
  std::vector<std::string> needs;
  std::vector<DataplaneLink::Verdict> verdicts;
  std::vector<DataplaneLink::Verdict> answered;
};

TEST_F(Link, SaysNothingBeforeItIsStartedAndThenEverythingAtOnce) {
  start();
  handler.state_to_answer.set_generation(7);
  connect_link();
  EXPECT_EQ(states[0].generation(), 7U);
  link->update(service("web"));
  link->update(route("10.0.0.0/8"));
  EXPECT_TRUE(quiet());
  EXPECT_FALSE(link->in_sync());
  link->start();
  const Transaction full = accept_next();
  EXPECT_TRUE(full.full());
  EXPECT_EQ(full.generation(), 8U);
  EXPECT_THAT(upserts(full), ElementsAre("route/10.0.0.0/8", "service/web"));
  EXPECT_TRUE(run_until([this] { return link->in_sync(); }));
  EXPECT_EQ(link->generation(), 8U);
  EXPECT_TRUE(quiet());
}

TEST_F(Link, FindsADataplaneThatStartsLater) {
  link = std::make_unique<DataplaneLink>(
      context, path,
      DataplaneLink::Callbacks{
          .on_state = [this](const auto&, const auto& state) { states.push_back(state); },
          .on_disconnect = [](const auto&) {},
          .on_neighbor_needed = [](const auto&) {},
          .on_port_changed = [](const auto&) {},
          .on_fenced = [](const auto&) {}});
  link->update(service("web"));
  link->start();
  ASSERT_TRUE(run_until([this] { return !link->trouble().empty(); }));
  EXPECT_FALSE(link->connected());
  start();
  EXPECT_THAT(upserts(accept_next()), ElementsAre("service/web"));
  EXPECT_TRUE(run_until([this] { return link->in_sync(); }));
  EXPECT_EQ(link->trouble(), "");
}

TEST_F(Link, SendsChangesThatComeTogetherTogether) {
  in_force();
  link->update(route("10.0.0.0/8"));
  link->update(route("10.1.0.0/16"));
  link->update(route("10.0.0.0/8", 5));
  const Transaction changes = accept_next();
  EXPECT_FALSE(changes.full());
  EXPECT_THAT(upserts(changes), ElementsAre("route/10.0.0.0/8", "route/10.1.0.0/16"));
  EXPECT_EQ(changes.upsert(0).route().hops(0).weight(), 5U);
  EXPECT_TRUE(quiet());
}

TEST_F(Link, KeepsOneTransactionUnderWayAndSendsWhatCameMeanwhileAfterIt) {
  in_force();
  link->update(route("10.0.0.0/8"));
  const auto first = next();
  for (uint32_t weight = 2; weight < 50; ++weight) {
    link->update(route("10.0.0.0/8", weight));
    EXPECT_TRUE(quiet());
  }
  accept(first);
  EXPECT_EQ(accept_next().upsert(0).route().hops(0).weight(), 49U);
  EXPECT_TRUE(quiet());
  EXPECT_TRUE(link->in_sync());
}

TEST_F(Link, SaysNothingTwice) {
  in_force();
  link->update(service("web"));
  link->remove("route/172.16.0.0/12");
  EXPECT_TRUE(quiet());
  link->update(route("10.0.0.0/8"));
  link->remove("route/10.0.0.0/8");  // never said, so nothing to take back
  EXPECT_TRUE(quiet());
  EXPECT_TRUE(link->in_sync());
}

TEST_F(Link, RemovesWhatItSaid) {
  in_force();
  link->remove("service/web");
  const Transaction changes = accept_next();
  ASSERT_EQ(changes.remove_size(), 1);
  EXPECT_EQ(changes.remove(0).service(), "web");
  EXPECT_THAT(upserts(changes), IsEmpty());
}

TEST_F(Link, PassesEventsOn) {
  in_force();
  ballast::api::NeighborNeeded needed;
  needed.set_address("10.0.0.11");
  server->neighbor_needed(needed);
  EXPECT_TRUE(run_until([this] { return !needs.empty(); }));
  EXPECT_THAT(needs, ElementsAre("10.0.0.11"));
}

// ---- proposals

TEST_F(Link, MakesAnAcceptedProposalWhatIsWanted) {
  in_force();
  propose({{"service/mail", service("mail")}}, {"service/web"});
  EXPECT_EQ(link->wanted().count("service/mail"), 0U);  // not before it is accepted
  const Transaction proposal = accept_next();
  EXPECT_THAT(upserts(proposal), ElementsAre("service/mail"));
  ASSERT_EQ(proposal.remove_size(), 1);
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_TRUE(verdicts[0].connected);
  EXPECT_THAT(verdicts[0].refusals, IsEmpty());
  EXPECT_EQ(verdicts[0].generation, proposal.generation());
  EXPECT_EQ(link->wanted().count("service/mail"), 1U);
  EXPECT_EQ(link->wanted().count("service/web"), 0U);
  EXPECT_TRUE(link->in_sync());
  EXPECT_TRUE(quiet());
}

TEST_F(Link, ForgetsARefusedProposal) {
  in_force();
  const auto before = link->wanted();
  propose({{"service/mail", service("mail", "nonsense")}}, {"service/web"});
  refuse(next(), "service \"mail\"");
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_TRUE(verdicts[0].connected);
  EXPECT_THAT(verdicts[0].refusals, ElementsAre("service \"mail\": no"));
  EXPECT_EQ(link->wanted().count("service/mail"), 0U);
  EXPECT_EQ(link->wanted().count("service/web"), 1U);
  EXPECT_EQ(link->trouble(), "");
  EXPECT_TRUE(quiet());
  EXPECT_TRUE(link->in_sync());
  link->update(route("10.0.0.0/8"));  // goes on at once
  EXPECT_THAT(upserts(accept_next()), ElementsAre("route/10.0.0.0/8"));
}

TEST_F(Link, TakesAProposalAsAcceptedWhileThereIsNoDataplane) {
  link = std::make_unique<DataplaneLink>(
      context, path,
      DataplaneLink::Callbacks{.on_state = [](const auto&, const auto&) {},
                               .on_disconnect = [](const auto&) {},
                               .on_neighbor_needed = [](const auto&) {},
                               .on_port_changed = [](const auto&) {},
                               .on_fenced = [](const auto&) {}});
  link->start();
  propose({{"service/web", service("web")}});
  EXPECT_TRUE(verdicts.empty());  // never from inside the call
  ASSERT_TRUE(run_until([this] { return !verdicts.empty(); }));
  EXPECT_FALSE(verdicts[0].connected);
  start();
  EXPECT_THAT(upserts(accept_next()), ElementsAre("service/web"));
}

TEST_F(Link, TellsOfEveryTransactionThatIsAnswered) {
  in_force();
  EXPECT_EQ(answered.size(), 1U);
  propose({{"service/mail", service("mail")}});
  refuse(next(), "service \"mail\"");
  ASSERT_EQ(answered.size(), 2U);
  EXPECT_THAT(answered[1].refusals, ElementsAre("service \"mail\": no"));
  link->update(route("10.0.0.0/8"));
  accept_next();
  ASSERT_EQ(answered.size(), 3U);
  EXPECT_TRUE(answered[2].connected);
  EXPECT_THAT(answered[2].refusals, IsEmpty());
}

TEST_F(Link, SendsProposalsOneAfterTheOther) {
  in_force();
  propose({{"service/a", service("a")}});
  propose({{"service/b", service("b")}});
  refuse(next(), "service \"a\"");
  EXPECT_THAT(upserts(accept_next()), ElementsAre("service/b"));
  ASSERT_EQ(verdicts.size(), 2U);
  EXPECT_FALSE(verdicts[0].refusals.empty());
  EXPECT_TRUE(verdicts[1].refusals.empty());
}

// ---- confirmations

TEST_F(Link, SaysWhenTheDataplaneRunsOnWhatIsWanted) {
  in_force();
  link->update(service("mail"));
  const auto earlier = next();
  link->update(service("web", "wrr"));
  wait_for("service/web");
  accept(earlier);
  EXPECT_THAT(confirmations, IsEmpty());  // it was another change
  EXPECT_THAT(upserts(accept_next()), ElementsAre("service/web"));
  EXPECT_THAT(confirmations, ElementsAre(true));
  wait_for("service/web");
  EXPECT_THAT(confirmations, ElementsAre(true));  // never from inside the call
  run_ready();
  EXPECT_THAT(confirmations, ElementsAre(true, true));
  EXPECT_TRUE(quiet());
}

TEST_F(Link, DoesNotWaitForWhatTheDataplaneRefuses) {
  in_force();
  link->update(route("10.1.0.0/16"));
  link->update(service("web", "wrr"));
  wait_for("service/web");
  refuse(next(), "route 10.1.0.0/16");
  EXPECT_THAT(confirmations, IsEmpty());  // the rest goes on without it
  accept_next();
  EXPECT_THAT(confirmations, ElementsAre(true));
  link->update(service("web", "nonsense"));
  wait_for("service/web");
  refuse(next(), "service \"web\"");
  EXPECT_THAT(confirmations, ElementsAre(true, false));
}

TEST_F(Link, DoesNotCallConfirmedWhatAWorkerHasNotTaken) {
  in_force();
  link->update(service("web", "wrr"));
  wait_for("service/web");
  const auto asked = next();
  TransactionAnswer answer;
  answer.set_accepted(true);
  answer.set_generation(asked.request.generation());
  answer.add_stalled_workers(1);
  asked.answer(answer);
  run_ready();
  EXPECT_THAT(confirmations, ElementsAre(false));
}

TEST_F(Link, DoesNotWaitForADataplaneThatIsNotThere) {
  in_force();
  link->update(service("web", "wrr"));
  wait_for("service/web");
  const auto unanswered = next();
  server.reset();
  ASSERT_TRUE(run_until([this] { return !losses.empty(); }));
  EXPECT_THAT(confirmations, ElementsAre(false));
  wait_for("service/web");
  run_ready();
  EXPECT_THAT(confirmations, ElementsAre(false, false));
}

TEST_F(Link, WaitsForAConfirmationNoLongerThanItIsTold) {
  in_force();
  link->update(service("web", "wrr"));
  const auto slow = next();
  wait_for("service/web", std::chrono::milliseconds(1));
  ASSERT_TRUE(run_until([this] { return !confirmations.empty(); }));
  EXPECT_THAT(confirmations, ElementsAre(false));
  accept(slow);
  EXPECT_THAT(confirmations, ElementsAre(false));
  wait_for("service/web");
  link.reset();  // whoever waits is forgotten
  run_ready();
  EXPECT_THAT(confirmations, ElementsAre(false));
}

// ---- refusals of what is wanted

TEST_F(Link, LeavesARefusedRouteOutSoThatItKeepsBackNothingElse) {
  in_force();
  link->update(route("10.0.0.0/8"));
  link->update(route("10.1.0.0/16"));
  link->update(service("web", "wrr"));
  refuse(next(), "route 10.1.0.0/16");
  EXPECT_NE(link->trouble(), "");
  EXPECT_THAT(upserts(accept_next()), ElementsAre("route/10.0.0.0/8", "service/web"));
  EXPECT_NE(link->trouble(), "");  // one is still missing
  EXPECT_FALSE(link->in_sync());
  EXPECT_TRUE(quiet());
  link->update(route("10.1.0.0/16", 7));  // it changes: it is tried again
  EXPECT_THAT(upserts(accept_next()), ElementsAre("route/10.1.0.0/16"));
  EXPECT_EQ(link->trouble(), "");
  EXPECT_TRUE(link->in_sync());
}

TEST_F(Link, LeavesARefusedRouteOutOfTheFullState) {
  start();
  connect_link();
  link->update(service("web"));
  link->update(route("10.1.0.0/16"));
  link->start();
  refuse(next(), "route 10.1.0.0/16");
  const Transaction full = accept_next();
  EXPECT_TRUE(full.full());
  EXPECT_THAT(upserts(full), ElementsAre("service/web"));
}

TEST_F(Link, NeverLeavesOutWhatIsConfigured) {
  start();
  connect_link();
  link->update(service("web"));
  link->update(service("mail", "nonsense"));
  link->start();
  refuse(next(), "service \"mail\"");
  EXPECT_TRUE(quiet());
  link->update(service("mail"));  // a change is tried at once
  const Transaction full = accept_next();
  EXPECT_TRUE(full.full());
  EXPECT_THAT(upserts(full), ElementsAre("service/mail", "service/web"));
}

TEST_F(Link, LetsAProposalMendARefusedFullState) {
  start();
  connect_link();
  link->update(service("web", "nonsense"));
  link->update(route("10.0.0.0/8"));
  link->start();
  refuse(next(), "service \"web\"");
  EXPECT_TRUE(quiet());
  propose({{"service/web", service("web", "still nonsense")}});
  const auto second = next();
  EXPECT_TRUE(second.request.full());
  refuse(second, "service \"web\"");
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_FALSE(verdicts[0].refusals.empty());
  EXPECT_TRUE(quiet());
  propose({{"service/web", service("web", "rr")}});
  const Transaction full = accept_next();
  EXPECT_TRUE(full.full());
  EXPECT_THAT(upserts(full), ElementsAre("route/10.0.0.0/8", "service/web"));
  ASSERT_EQ(verdicts.size(), 2U);
  EXPECT_TRUE(verdicts[1].refusals.empty());
  EXPECT_TRUE(link->in_sync());
}

// ---- disconnections

TEST_F(Link, SaysEverythingAgainToANewInstance) {
  in_force();
  link->update(route("10.0.0.0/8"));
  accept_next();
  server.reset();
  ASSERT_TRUE(run_until([this] { return !losses.empty(); }));
  EXPECT_FALSE(link->connected());
  link->update(route("10.1.0.0/16"));  // while there is nobody
  link->remove("service/web");
  handler.generation = 0;
  start();
  const Transaction full = accept_next();
  EXPECT_TRUE(full.full());
  EXPECT_EQ(full.generation(), 1U);
  EXPECT_THAT(upserts(full), ElementsAre("route/10.0.0.0/8", "route/10.1.0.0/16"));
  EXPECT_EQ(states.size(), 2U);
  EXPECT_TRUE(run_until([this] { return link->in_sync(); }));
  EXPECT_TRUE(quiet());
}

TEST_F(Link, BeginsAnewWhenItIsCutOffInTheMiddleOfATransaction) {
  in_force();
  link->update(route("10.0.0.0/8"));
  const auto unanswered = next();
  server.reset();
  ASSERT_TRUE(run_until([this] { return !losses.empty(); }));
  start();
  const Transaction full = accept_next();
  EXPECT_TRUE(full.full());
  EXPECT_THAT(upserts(full), ElementsAre("route/10.0.0.0/8", "service/web"));
  EXPECT_TRUE(run_until([this] { return link->in_sync(); }));
  EXPECT_EQ(losses.size(), 1U);
}

TEST_F(Link, TakesOverAProposalThatIsCutOff) {
  in_force();
  propose({{"service/mail", service("mail")}}, {"service/web"});
  propose({{"service/dns", service("dns")}});
  const auto unanswered = next();
  server.reset();
  ASSERT_TRUE(run_until([this] { return verdicts.size() == 2; }));
  EXPECT_FALSE(verdicts[0].connected);
  EXPECT_FALSE(verdicts[1].connected);
  start();
  EXPECT_THAT(upserts(accept_next()), ElementsAre("service/dns", "service/mail"));
  EXPECT_TRUE(run_until([this] { return link->in_sync(); }));
  EXPECT_EQ(verdicts.size(), 2U);
}

TEST_F(Link, MayGoAtAnyTime) {
  in_force();
  link->update(route("10.0.0.0/8"));  // the flush waits
  link.reset();
  EXPECT_TRUE(quiet());
  connect_link();
  link->start();
  link->update(route("10.0.0.0/8"));
  refuse(next(), "transaction");  // the retry waits
  server.reset();
  run_until([this] { return !losses.empty(); });  // the reconnection waits
  link.reset();
  run_ready();
}

}  // namespace
}  // namespace ballast::control
