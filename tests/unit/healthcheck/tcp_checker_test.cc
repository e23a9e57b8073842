#include "healthcheck/tcp_checker.h"

#include <optional>
#include <thread>

#include <gmock/gmock.h>

#include "tests/unit/healthcheck/checker_fixture.h"

namespace ballast::healthcheck {
namespace {

using namespace std::chrono_literals;

using TcpCheckerTest = CheckerTest<CheckType::kTcp>;

TEST_F(TcpCheckerTest, IsHealthyWhenTheServerAcceptsInBothFamilies) {
  for (const auto& address : {kLoopback4, kLoopback6}) {
    const TestServer server(loop_, {}, address);
    EXPECT_EQ(check(request(server.port(), 10s, address)),
              (CheckResult{Verdict::kHealthy, "connected"}));
  }
}

TEST_F(TcpCheckerTest, SaysThatTheServerRefuses) {
  const RefusingPort port(loop_);
  EXPECT_EQ(check(request(port.port())), (CheckResult{Verdict::kUnhealthy, "connection refused"}));
}

TEST_F(TcpCheckerTest, TimesOutWhenNobodyAnswers) {
  const SilentPort port(loop_);
  EXPECT_EQ(check(request(port.port(), 30ms)),
            (CheckResult{Verdict::kUnhealthy, "timed out after 30 ms while connecting"}));
}

TEST_F(TcpCheckerTest, ResetsSoThatNoTimeWaitIsLeft) {
  boost::asio::ip::tcp::acceptor acceptor(loop_, {boost::asio::ip::address_v4::loopback(), 0});
  EXPECT_EQ(check(request(acceptor.local_endpoint().port())).verdict, Verdict::kHealthy);
  auto accepted = acceptor.accept();
  char byte = 0;
  boost::system::error_code error;
  accepted.read_some(boost::asio::buffer(&byte, 1), error);
  EXPECT_EQ(error, boost::asio::error::connection_reset);
}

TEST_F(TcpCheckerTest, HoldsItsOwnLackOfFileDescriptorsAgainstNobody) {
#ifdef __SANITIZE_ADDRESS__
  // The sanitizer asks by a pipe whether memory may be read, and takes the lack of one for a bad
  // pointer.
  GTEST_SKIP() << "not with sanitizers: they need descriptors themselves";
#endif
  const TestServer server(loop_, {});
  CheckResult result;
  {
    const NoFileDescriptors none;
    result = check(request(server.port()));
  }
  EXPECT_EQ(result, (CheckResult{Verdict::kInconclusive, "could not check: too many open files"}));
}

TEST_F(TcpCheckerTest, CallsNobodyAfterItIsDestroyed) {
  const TestServer server(loop_, {});
  const RefusingPort refusing(loop_);
  for (const uint16_t port : {server.port(), refusing.port()}) {
    for (int steps = 0; steps < 3; ++steps) {
      EXPECT_FALSE(calls_after_its_end(request(port, 1ms), steps));
    }
  }
}

TEST_F(TcpCheckerTest, MayBeDestroyedByItsOwnCallbackAndMayOutliveIt) {
  const TestServer server(loop_, {});
  int calls = 0;
  auto destroyed = make_checker(loop_, request(server.port(), 20ms));
  auto kept = make_checker(loop_, request(server.port(), 20ms));
  destroyed->start([&](const CheckResult&) {
    destroyed.reset();
    ++calls;
  });
  kept->start([&](const CheckResult&) { ++calls; });
  loop_.run_for(60ms);
  EXPECT_EQ(calls, 2);
}

TEST_F(TcpCheckerTest, DoesNotBlameTheServerWhenTheEventLoopWasHeldUp) {
  const SilentPort port(loop_);
  std::optional<CheckResult> result;
  const auto checker = make_checker(loop_, request(port.port(), 1ms));
  checker->start([&](CheckResult got) { result = std::move(got); });
  std::this_thread::sleep_for(400ms);  // the hold-up itself
  ASSERT_TRUE(run_until(loop_, [&] { return result.has_value(); }));
  EXPECT_EQ(result->verdict, Verdict::kInconclusive);
  EXPECT_THAT(result->text, ::testing::HasSubstr("event loop was held up"));
}

}  // namespace
}  // namespace ballast::healthcheck
