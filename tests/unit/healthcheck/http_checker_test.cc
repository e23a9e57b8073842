#include "healthcheck/http_checker.h"

#include <gmock/gmock.h>

#include "tests/unit/healthcheck/checker_fixture.h"

namespace ballast::healthcheck {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using namespace std::chrono_literals;

using HttpCheckerTest = CheckerTest<CheckType::kHttp>;

TEST_F(HttpCheckerTest, SendsExactlyTheRequestThatWasAskedFor) {
  CheckRequest asked = request(80);
  EXPECT_THAT(http_request_text(asked),
              ::testing::MatchesRegex("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: "
                                      "ballast/[0-9]+[.][0-9]+[.][0-9]+\r\nAccept: [*]/[*]\r\n"
                                      "Connection: close\r\n\r\n"));
  asked.port = 8080;
  EXPECT_THAT(http_request_text(asked), HasSubstr("\r\nHost: 127.0.0.1:8080\r\n"));
  asked.address = kLoopback6;
  EXPECT_THAT(http_request_text(asked), HasSubstr("\r\nHost: [::1]:8080\r\n"));
  asked.settings.host = "www.example.com";
  asked.settings.path = "/healthz?full=1";
  asked.settings.method = "POST";
  EXPECT_THAT(http_request_text(asked), StartsWith("POST /healthz?full=1 HTTP/1.1\r\n"));
  EXPECT_THAT(http_request_text(asked), HasSubstr("\r\nHost: www.example.com\r\n"));
  EXPECT_THAT(http_request_text(asked), HasSubstr("\r\nContent-Length: 0\r\n"));
  const TestServer server(loop_, answering("HTTP/1.1 200 OK\r\n\r\n"));
  asked = request(server.port());
  EXPECT_EQ(check(asked).verdict, Verdict::kHealthy);
  EXPECT_EQ(server.last_request(), http_request_text(asked));
}

TEST_F(HttpCheckerTest, JudgesByTheStatus) {
  EXPECT_EQ(check_against(answering("HTTP/1.1 200 OK\r\n\r\n")),
            (CheckResult{Verdict::kHealthy, "HTTP status 200"}));
  EXPECT_EQ(check_against(answering("HTTP/1.1 503 Service Unavailable\r\n\r\n")),
            (CheckResult{Verdict::kUnhealthy, "HTTP status 503, expected 200-299"}));
}

TEST_F(HttpCheckerTest, DoesNotWaitForTheBody) {
  TestServer::Script script = answering("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nsome");
  script.closes = false;
  EXPECT_EQ(check_against(script).verdict, Verdict::kHealthy);
  script.answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel";
  EXPECT_EQ(check_against(script).verdict, Verdict::kHealthy);
  script.answer = "HTTP/1.1 200 OK\r\n\r\n" + std::string(5'000'000, 'x');
  EXPECT_EQ(check_against(script).verdict, Verdict::kHealthy);
}

TEST_F(HttpCheckerTest, PutsSlowPiecesTogether) {
  TestServer::Script script = answering("HTTP/1.1 200 OK\r\nServer: x\r\n\r\n");
  script.piece = 1;
  EXPECT_EQ(check_against(script).verdict, Verdict::kHealthy);
}

TEST_F(HttpCheckerTest, EndsASlowDripAtTheTimeoutForTheWhole) {
  TestServer::Script script = answering("HTTP/1.1 200 OK\r\n" + std::string(10'000, 'x'));
  script.piece = 1;
  script.pause = 5ms;
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(check_against(script, 60ms),
            (CheckResult{Verdict::kUnhealthy,
                         "timed out after 60 ms while waiting for the response header"}));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
}

TEST_F(HttpCheckerTest, TimesOutOnSilence) {
  TestServer::Script script;
  script.closes = false;
  EXPECT_EQ(check_against(script, 20ms).text,
            "timed out after 20 ms while waiting for the response header");
  const SilentPort port(loop_);
  EXPECT_EQ(check(request(port.port(), 20ms)).text, "timed out after 20 ms while connecting");
}

TEST_F(HttpCheckerTest, SaysHowAConnectionEnded) {
  EXPECT_EQ(check_against(answering("")).text, "connection closed without a response");
  EXPECT_EQ(check_against(answering("HTTP/1.1 200 OK\r\nServ")).text,
            "connection closed inside the response header");
  TestServer::Script script;
  script.resets = true;
  EXPECT_EQ(check_against(script).text,
            "connection reset by the server while waiting for the response header");
  script.reads = false;
  EXPECT_EQ(check_against(script).verdict, Verdict::kUnhealthy);
  const RefusingPort port(loop_);
  EXPECT_EQ(check(request(port.port())).text, "connection refused");
}

TEST_F(HttpCheckerTest, RefusesGarbageAndHugeHeaders) {
  EXPECT_THAT(check_against(answering("220 mail.example.com ESMTP\r\n")).text,
              StartsWith("not an HTTP/1 response: it begins with \"220 mail"));
  EXPECT_EQ(check_against(answering("HTTP/1.1 200 OK\r\nA: " + std::string(100'000, 'a'))).text,
            "response header is larger than 16 KiB");
}

TEST_F(HttpCheckerTest, CallsNobodyAfterItIsDestroyedAtAnyStep) {
  const TestServer server(loop_, answering("HTTP/1.1 200 OK\r\n\r\n"));
  for (int steps = 0; steps < 12; ++steps) {
    EXPECT_FALSE(calls_after_its_end(request(server.port(), 5s), steps));
  }
}

}  // namespace
}  // namespace ballast::healthcheck
