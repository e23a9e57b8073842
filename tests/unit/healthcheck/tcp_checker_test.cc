#include "healthcheck/tcp_checker.h"

#include <optional>
#include <thread>

#include <gmock/gmock.h>
#include <sys/resource.h>

#include "healthcheck/checker_list.h"
#include "tests/unit/healthcheck/test_server.h"

namespace ballast::healthcheck {
namespace {

using namespace std::chrono_literals;

CheckRequest request(uint16_t port, std::chrono::milliseconds timeout = 10s,
                     const IpAddress& address = kLoopback4) {
  CheckRequest request{address, port, {}};
  request.settings.type = CheckType::kTcp;
  request.settings.timeout = timeout;
  return request;
}

CheckResult check(boost::asio::io_context& loop, const CheckRequest& request) {
  std::optional<CheckResult> result;
  const auto checker = make_checker(loop, request);
  checker->start([&](CheckResult got) { result = std::move(got); });
  EXPECT_FALSE(result) << "the result came from inside start()";
  EXPECT_TRUE(run_until(loop, [&] { return result.has_value(); }));
  return result.value_or(CheckResult{});
}

TEST(TcpChecker, IsHealthyWhenTheServerAcceptsInBothFamilies) {
  boost::asio::io_context loop;
  for (const auto& address : {kLoopback4, kLoopback6}) {
    const TestServer server(loop, {}, address);
    EXPECT_EQ(check(loop, request(server.port(), 10s, address)),
              (CheckResult{Verdict::kHealthy, "connected"}));
  }
}

TEST(TcpChecker, SaysThatTheServerRefuses) {
  boost::asio::io_context loop;
  const RefusingPort port(loop);
  EXPECT_EQ(check(loop, request(port.port())),
            (CheckResult{Verdict::kUnhealthy, "connection refused"}));
}

TEST(TcpChecker, TimesOutWhenNobodyAnswers) {
  boost::asio::io_context loop;
  const SilentPort port(loop);
  EXPECT_EQ(check(loop, request(port.port(), 30ms)),
            (CheckResult{Verdict::kUnhealthy, "timed out after 30 ms while connecting"}));
}

TEST(TcpChecker, ResetsSoThatNoTimeWaitIsLeft) {
  boost::asio::io_context loop;
  boost::asio::ip::tcp::acceptor acceptor(loop, {boost::asio::ip::address_v4::loopback(), 0});
  EXPECT_EQ(check(loop, request(acceptor.local_endpoint().port())).verdict, Verdict::kHealthy);
  auto accepted = acceptor.accept();
  char byte = 0;
  boost::system::error_code error;
  accepted.read_some(boost::asio::buffer(&byte, 1), error);
  EXPECT_EQ(error, boost::asio::error::connection_reset);
}

TEST(TcpChecker, HoldsItsOwnLackOfFileDescriptorsAgainstNobody) {
#ifdef __SANITIZE_ADDRESS__
  // The sanitizer asks by a pipe whether memory may be read, and takes the lack of one for a bad
  // pointer.
  GTEST_SKIP() << "not with sanitizers: they need descriptors themselves";
#endif
  boost::asio::io_context loop;
  const TestServer server(loop, {});
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 3;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const CheckResult result = check(loop, request(server.port()));
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(result, (CheckResult{Verdict::kInconclusive, "could not check: too many open files"}));
}

TEST(TcpChecker, CallsNobodyAfterItIsDestroyed) {
  boost::asio::io_context loop;
  const TestServer server(loop, {});
  const RefusingPort refusing(loop);
  for (const uint16_t port : {server.port(), refusing.port()}) {
    for (int steps = 0; steps < 3; ++steps) {
      bool called = false;
      auto checker = make_checker(loop, request(port, 1ms));
      checker->start([&](const CheckResult&) { called = true; });
      for (int step = 0; step < steps && !called; ++step) {
        loop.poll_one();
      }
      const bool before = called;
      checker.reset();
      loop.run_for(5ms);
      loop.restart();
      EXPECT_EQ(called, before);
    }
  }
}

TEST(TcpChecker, MayBeDestroyedByItsOwnCallbackAndMayOutliveIt) {
  boost::asio::io_context loop;
  const TestServer server(loop, {});
  int calls = 0;
  auto destroyed = make_checker(loop, request(server.port(), 20ms));
  auto kept = make_checker(loop, request(server.port(), 20ms));
  destroyed->start([&](const CheckResult&) {
    destroyed.reset();
    ++calls;
  });
  kept->start([&](const CheckResult&) { ++calls; });
  loop.run_for(60ms);
  EXPECT_EQ(calls, 2);
}

TEST(TcpChecker, DoesNotBlameTheServerWhenTheEventLoopWasHeldUp) {
  boost::asio::io_context loop;
  const SilentPort port(loop);
  std::optional<CheckResult> result;
  const auto checker = make_checker(loop, request(port.port(), 1ms));
  checker->start([&](CheckResult got) { result = std::move(got); });
  std::this_thread::sleep_for(400ms);  // the hold-up itself
  ASSERT_TRUE(run_until(loop, [&] { return result.has_value(); }));
  EXPECT_EQ(result->verdict, Verdict::kInconclusive);
  EXPECT_THAT(result->text, ::testing::HasSubstr("event loop was held up"));
}

}  // namespace
}  // namespace ballast::healthcheck
