#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/control/ctl/running_ballastctl.h"

namespace ballast::control {
namespace {

using testing::HasSubstr;

const std::vector<std::vector<std::string>> kRemoteCommands{
    {"status"},
    {"service", "list"},
    {"service", "show", "web"},
    {"connection", "list"},
    {"port", "show"},
    {"port", "show", "wan"},
    {"drops"},
    {"checks"},
    {"reload"},
    {"server", "drain", "web", "10.0.0.11"},
    {"server", "disable", "web", "10.0.0.11:80"},
    {"server", "enable", "web", "2001:db8::1"},
    {"vrrp"},
    {"vrrp", "list"},
    {"vrrp", "show", "front"},
    {"vrrp", "failover", "front"},
    {"vrrp", "release", "front"},
    {"restart"}};

TEST_F(Ballastctl, SaysInEveryCommandThatBallastdIsNotRunning) {
  for (auto command : kRemoteCommands) {
    const auto plain = ask(command);
    EXPECT_EQ(plain.exit_code, 3);
    EXPECT_EQ(plain.out, "");
    EXPECT_EQ(plain.err, "ballastctl: ballastd is not running (no socket " + folder_ / "s" +
                             "): start it with \"systemctl start ballastd\", or name another "
                             "socket with --socket\n");
    command.push_back("--json");
    const auto json = ask(command);
    EXPECT_EQ(json.exit_code, 3);
    EXPECT_EQ(error_code(json.out), "NOT_RUNNING");
    EXPECT_EQ(json.err, "");
  }
}

TEST_F(Ballastctl, PrintsJsonForEveryCommand) {
  handler_.reload_answer->set_dataplane_connected(true);
  handler_.restart_answer = tl::unexpected(failure(api::Failure::REFUSED, "not now"));
  RunningServer server(handler_, options());
  for (auto command : kRemoteCommands) {
    command.push_back("--json");
    const auto outcome = ask(command);
    (void)parsed(outcome.out);
    EXPECT_EQ(outcome.err, "") << command[0];
  }
  (void)parsed(ballastctl({"completion", "bash", "--json"}).out);
  (void)parsed(ballastctl({"--json", "check", folder_ / "none"}).out);
}

// Two services, of which one goes on in the second page.
tl::expected<api::ListServicesAnswer, api::Failure> two_pages(
    const api::ListServicesRequest& request) {
  api::ListServicesAnswer answer;
  answer.set_counted(true);
  const auto add = [&answer](const char* service, const char* server) {
    auto& status = *answer.add_services();
    status.set_name(service);
    status.add_servers()->set_address(server);
  };
  if (!request.paged() || (!request.cursor().empty() && request.cursor() != "1/1")) {
    return tl::unexpected(failure(api::Failure::INVALID, "no such page"));
  }
  if (request.cursor().empty()) {
    add("a", "10.0.0.1");
    answer.set_next_cursor("1/1");
  } else {
    add("a", "10.0.0.2");
    add("b", "10.0.0.3");
  }
  return answer;
}

TEST_F(Ballastctl, PutsPagesTogether) {
  handler_.on_service_page = two_pages;
  handler_.on_check_page = [](const api::ChecksRequest& request) {
    api::ChecksAnswer answer;
    answer.add_checks()->set_address(request.cursor().empty() ? "10.0.0.1" : "10.0.0.2");
    answer.set_next_cursor(request.cursor().empty() ? "1/1" : "");
    return answer;
  };
  RunningServer server(handler_, options());
  const auto services = parsed(ask({"service", "list", "--json"}).out);
  const auto& list = services.fields().at("services").list_value();
  ASSERT_EQ(list.values_size(), 2);
  EXPECT_EQ(list.values(0).struct_value().fields().at("servers").list_value().values_size(), 2);
  EXPECT_EQ(services.fields().at("nextCursor").string_value(), "");
  const auto checks = parsed(ask({"checks", "--json"}).out);
  EXPECT_EQ(checks.fields().at("checks").list_value().values_size(), 2);
}

TEST_F(Ballastctl, BeginsAnewWhenTheConfigurationChangesBetweenTwoPagesButNotForEver) {
  int asked = 0;
  int changes = 2;
  handler_.on_service_page = [&](const api::ListServicesRequest& request)
      -> tl::expected<api::ListServicesAnswer, api::Failure> {
    ++asked;
    if (!request.cursor().empty() && changes-- > 0) {
      return tl::unexpected(failure(api::Failure::BUSY, "changed"));
    }
    return two_pages(request);
  };
  RunningServer server(handler_, options());
  EXPECT_EQ(ask({"service", "list"}).exit_code, 0);
  EXPECT_EQ(asked, 6);
  asked = 0;
  changes = 1000;
  EXPECT_NE(ask({"service", "list"}).exit_code, 0);
  EXPECT_EQ(asked, 10);
}

TEST_F(Ballastctl, DoesNotAskForOnePageForEver) {
  handler_.on_check_page = [](const api::ChecksRequest&) {
    api::ChecksAnswer answer;
    answer.set_next_cursor("1/1");
    return answer;
  };
  RunningServer server(handler_, options());
  const auto outcome = ask({"checks"});
  EXPECT_NE(outcome.exit_code, 0);
  EXPECT_THAT(outcome.err, HasSubstr("the same page again and again"));
}

TEST_F(Ballastctl, RefusesCommandLinesThatMakeNoSense) {
  const std::vector<std::vector<std::string>> wrong{
      {},
      {"nonsense"},
      {"service"},
      {"service", "show"},
      {"status", "extra"},
      {"connection", "list", "--client", "nobody"},
      {"connection", "list", "--vip", "192.0.2.1:99999"},
      {"connection", "list", "--limit", "0"},
      {"connection", "list", "--limit", "5", "--all"},
      {"server", "drain", "web"},
      {"server", "drain", "web", "here"},
      {"status", "--timeout", "x"},
      {"service", "list", "--stats", "--rate"},
      {"completion", "tcsh"},
      {"vrrp", "nonsense"},
      {"vrrp", "list", "front"},
      {"vrrp", "show"},
      {"vrrp", "failover"},
      {"vrrp", "release", "front", "back"},
      {"restart", "now"},
      {"check"}};
  for (const auto& arguments : wrong) {
    const auto outcome = ballastctl(arguments);
    EXPECT_EQ(outcome.exit_code, 2) << testing::PrintToString(arguments);
    EXPECT_THAT(outcome.err, HasSubstr("ballastctl: "));
    EXPECT_EQ(outcome.out, "");
  }
  EXPECT_EQ(error_code(ballastctl({"nonsense", "--json"}).out), "USAGE");
}

TEST_F(Ballastctl, HelpsWithItsExitCodes) {
  const auto help = ballastctl({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.out, HasSubstr("Exit codes:"));
  EXPECT_EQ(ballastctl({"service", "show", "--help"}).exit_code, 0);
  EXPECT_THAT(ballastctl({"--version"}).out, HasSubstr("ballastctl "));
}

TEST_F(Ballastctl, TurnsFailuresIntoExitCodes) {
  const std::vector<std::pair<api::Failure::Code, int>> expected{
      {api::Failure::INTERNAL, 1},
      {api::Failure::INVALID, 1},
      {api::Failure::NOT_FOUND, 1},
      {api::Failure::REFUSED, 1},
      {api::Failure::DATAPLANE_NOT_CONNECTED, 4},
      {api::Failure::TIMED_OUT, 3},
      {api::Failure::BUSY, 3},
      {api::Failure::UNSUPPORTED, 1},
      {api::Failure::TOO_LARGE, 1}};
  RunningServer server(handler_, options());
  for (const auto& [code, exit_code] : expected) {
    server.in_loop([&, wanted = code] {
      auto refused = failure(wanted, "because");
      refused.add_details("ballast.toml:3:1: wrong");
      handler_.drops_answer = tl::unexpected(refused);
    });
    const auto outcome = ask({"drops"});
    EXPECT_EQ(outcome.exit_code, exit_code);
    EXPECT_EQ(outcome.err, "ballastctl: because\n  ballast.toml:3:1: wrong\n");
    EXPECT_EQ(error_code(ask({"drops", "--json"}).out), api::Failure::Code_Name(code));
  }
}

TEST_F(Ballastctl, ShowsAllPortsOrOne) {
  std::vector<std::string> asked;
  handler_.on_ports = [&](const std::string& name) {
    asked.push_back(name);
    api::ListPortsAnswer answer;
    answer.add_ports()->mutable_info()->set_name("wan");
    answer.add_workers();
    return answer;
  };
  RunningServer server(handler_, options());
  const auto all = ask({"port", "show"});
  EXPECT_EQ(all.exit_code, 0) << all.err;
  EXPECT_THAT(all.out, testing::StartsWith("port           wan\n"));
  EXPECT_EQ(ask({"port", "show", "wan"}).out, all.out);
  EXPECT_EQ(ask({"port-names"}).out, "wan\n");
  EXPECT_THAT(asked, testing::ElementsAre("", "wan", ""));
  const auto json = parsed(ask({"port", "show", "--json"}).out);
  const auto& info = json.fields().at("ports").list_value().values(0).struct_value().fields();
  EXPECT_TRUE(info.at("info").struct_value().fields().contains("steeringNat"));
  server.in_loop(
      [&] { handler_.on_ports = [](const std::string&) { return api::ListPortsAnswer(); }; });
  EXPECT_EQ(ask({"port", "show"}).exit_code, 4) << "the dataplane is not there";
  EXPECT_EQ(ask({"port"}).exit_code, 2);
}

TEST_F(Ballastctl, PrintsWhatIsKnownWithoutADataplaneAndExitsWithFour) {
  handler_.on_services = [](const std::string&) {
    api::ListServicesAnswer answer;
    answer.add_services()->set_name("web");
    return answer;
  };
  RunningServer server(handler_, options());
  EXPECT_EQ(ask({"status"}).exit_code, 4);
  EXPECT_THAT(ask({"status"}).out, HasSubstr("OUTAGE"));
  EXPECT_EQ(ask({"service", "list"}).exit_code, 4);
  EXPECT_THAT(ask({"service", "list"}).err, HasSubstr("not connected"));
}

TEST_F(Ballastctl, SendsAnOverrideWithAddressAndPort) {
  api::SetServerOverrideRequest seen;
  handler_.on_override = [&](const auto& request) {
    seen = request;
    api::SetServerOverrideAnswer answer;
    answer.set_service(request.service());
    answer.mutable_server()->set_address(request.address());
    answer.mutable_server()->set_port(request.port());
    answer.mutable_server()->set_override(request.override());
    answer.mutable_server()->set_health(ballast::api::UP);
    answer.mutable_server()->set_configured_weight(100);
    answer.mutable_server()->set_active_connections(3);
    answer.set_dataplane_connected(true);
    answer.set_dataplane_confirmed(request.override() != ballast::api::DISABLED);
    return answer;
  };
  RunningServer server(handler_, options());
  const auto outcome = ask({"server", "drain", "web", "[2001:db8::11]:80"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out,
            "service web: server [2001:db8::11]:80: drained, up, weight 0 of 100, 3 connections "
            "still active\n");
  EXPECT_EQ(seen.address(), "2001:db8::11");
  EXPECT_EQ(seen.port(), 80u);
  EXPECT_EQ(seen.override(), ballast::api::DRAINED);
  const auto late = ask({"server", "disable", "web", "10.0.0.11"});
  EXPECT_EQ(late.exit_code, 1);
  EXPECT_EQ(late.out,
            "service web: server 10.0.0.11: disabled, up, weight 0 of 100; the dataplane has not "
            "confirmed it yet: see ballastctl status\n");
  (void)ask({"server", "enable", "web", "10.0.0.11"});
  EXPECT_EQ(seen.port(), 0u);
  EXPECT_EQ(seen.override(), ballast::api::NO_OVERRIDE);
}

// 2500 connections, numbered by their client's port.
api::ListConnectionsAnswer numbered_page(const ballast::api::ListConnections& filter) {
  constexpr uint32_t kAll = 2500;
  api::ListConnectionsAnswer answer;
  const auto first =
      static_cast<uint32_t>(filter.cursor().empty() ? 0 : std::stoul(filter.cursor()));
  const uint32_t last = std::min(kAll, first + filter.limit());
  for (uint32_t port = first; port < last; ++port) {
    answer.mutable_page()->add_connections()->set_client_port(port + 1);
  }
  if (last < kAll) {
    answer.mutable_page()->set_next_cursor(std::to_string(last));
  }
  return answer;
}

TEST_F(Ballastctl, FollowsThePagesOfConnections) {
  handler_.on_connections = numbered_page;
  RunningServer server(handler_, options());
  const auto all = ask({"connection", "list", "--all"});
  EXPECT_EQ(all.exit_code, 0);
  EXPECT_EQ(std::count(all.out.begin(), all.out.end(), '\n'), 2501);
  const auto some = ask({"connection", "list", "--limit", "1200"});
  EXPECT_EQ(std::count(some.out.begin(), some.out.end(), '\n'), 1201);
  EXPECT_THAT(some.err, HasSubstr("more than these 1200"));
  const auto json = parsed(ask({"connection", "list", "--all", "--json"}).out);
  EXPECT_EQ(json.fields().at("connections").list_value().values_size(), 2500);
  EXPECT_TRUE(json.fields().at("complete").bool_value());
  const auto cut = parsed(ask({"connection", "list", "--limit", "3", "--json"}).out);
  EXPECT_FALSE(cut.fields().at("complete").bool_value());
}

TEST_F(Ballastctl, StopsWhenPagesDoNotAdvanceAndKeepsItsJsonWhole) {
  handler_.on_connections = [](const auto&) {
    api::ListConnectionsAnswer answer;
    answer.mutable_page()->add_connections();
    answer.mutable_page()->set_next_cursor("again");
    return answer;
  };
  RunningServer server(handler_, options());
  EXPECT_EQ(ask({"connection", "list", "--all"}).exit_code, 3);
  const auto json = parsed(ask({"connection", "list", "--all", "--json"}).out);
  EXPECT_EQ(json.fields().count("failed"), 1u);
}

TEST_F(Ballastctl, PassesTheFiltersOfConnectionsOn) {
  ballast::api::ListConnections seen;
  handler_.on_connections = [&](const auto& filter) {
    seen = filter;
    return api::ListConnectionsAnswer();
  };
  RunningServer server(handler_, options());
  const auto outcome = ask({"connection", "list", "--client", "192.0.2.0/24", "--vip",
                            "198.51.100.1:80", "--server", "10.0.0.11", "--limit", "7"});
  EXPECT_EQ(outcome.out, "no connections\n");
  EXPECT_EQ(seen.client(), "192.0.2.0/24");
  EXPECT_EQ(seen.vip(), "198.51.100.1");
  EXPECT_EQ(seen.vip_port(), 80u);
  EXPECT_EQ(seen.server(), "10.0.0.11");
  EXPECT_EQ(seen.limit(), 7u);
}

TEST_F(Ballastctl, ChecksAFileWithoutBallastd) {
  const auto wrong = write("wrong.toml", "[[servise]]\n");
  const auto refused = ballastctl({"check", wrong});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr(wrong + ":1:"));
  const auto json = ballastctl({"check", wrong, "--json"});
  EXPECT_EQ(json.exit_code, 1);
  EXPECT_FALSE(parsed(json.out).fields().at("valid").bool_value());
  const auto right = write("right.toml", R"(
[[service]]
name = "web"
listen = ["tcp/192.0.2.10:80"]
mode = "dr"
scheduler = "rr"
server = [ { address = "10.0.0.11" } ]
)");
  const auto valid = ballastctl({"check", right});
  EXPECT_EQ(valid.exit_code, 0) << valid.err;
  EXPECT_EQ(valid.out, right + ": valid\n");
  EXPECT_THAT(ballastctl({"check", folder_ / "none"}).err, HasSubstr("No such file"));
  EXPECT_EQ(ballastctl({"check", folder_ / "."}).exit_code, 1) << "a folder";
}

TEST_F(Ballastctl, SendsTheFileForADiffAndShowsTheChanges) {
  auto& change = *handler_.diff_answer->add_changes();
  change.set_what("service \"web\": server 10.0.0.11:80: weight");
  change.set_from("100");
  change.set_to("50");
  RunningServer server(handler_, options());
  const auto outcome = ask({"diff", write("new.toml", "text of it")});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out, "~ service \"web\": server 10.0.0.11:80: weight: 100 -> 50\n");
  EXPECT_EQ(handler_.diff_text, "text of it");
  EXPECT_EQ(ask({"diff", write("new.toml", "name = \"\xff\"")}).exit_code, 0);
  EXPECT_EQ(handler_.diff_text, "name = \"\xff\"") << "what is not UTF-8 reaches the reader";
}

TEST_F(Ballastctl, MeasuresRatesBetweenTwoAnswers) {
  uint64_t reading = 0;
  handler_.on_services = [&](const std::string&) {
    api::ListServicesAnswer answer;
    auto& service = *answer.add_services();
    service.set_name("web");
    auto& server = *service.add_servers();
    server.set_address("10.0.0.11");
    server.mutable_counters()->set_packets_in(500 * reading);
    answer.set_counted(true);
    answer.set_counted_at_ms(1000 + 2000 * reading++);
    return answer;
  };
  RunningServer server(handler_, options());
  const auto outcome = ask({"service", "list", "--rate", "--interval", "0.01", "--json"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("\"packetsIn\": 250"));
}

}  // namespace
}  // namespace ballast::control
