// What the tests of all checkers begin with: an event loop, a request on loopback, a check run to
// its end.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "healthcheck/checker_list.h"
#include "tests/unit/healthcheck/test_server.h"

namespace ballast::healthcheck {

template <CheckType kType>
class CheckerTest : public ::testing::Test {
 protected:
  static CheckRequest request(uint16_t port,
                              std::chrono::milliseconds timeout = std::chrono::seconds(10),
                              const IpAddress& address = kLoopback4) {
    CheckRequest request{address, port, {}};
    request.settings.type = kType;
    request.settings.timeout = timeout;
    return request;
  }

  CheckResult check(const CheckRequest& request) {
    std::optional<CheckResult> result;
    const auto checker = make_checker(loop_, request);
    checker->start([&](CheckResult got) { result = std::move(got); });
    EXPECT_FALSE(result) << "the result came from inside start()";
    EXPECT_TRUE(run_until(loop_, [&] { return result.has_value(); }));
    return result.value_or(CheckResult{});
  }

  CheckResult check_against(TestServer::Script script,
                            std::chrono::milliseconds timeout = std::chrono::seconds(10)) {
    const TestServer server(loop_, std::move(script));
    return check(request(server.port(), timeout));
  }

  static TestServer::Script answering(std::string text) {
    TestServer::Script script;
    script.answer = std::move(text);
    return script;
  }

  // Begins a check, ends it after so many steps of the loop, and says whether anybody was called
  // after that.
  bool calls_after_its_end(const CheckRequest& request, int steps) {
    bool called = false;
    auto checker = make_checker(loop_, request);
    checker->start([&](const CheckResult&) { called = true; });
    for (int step = 0; step < steps && !called; ++step) {
      loop_.run_one_for(std::chrono::milliseconds(20));
      loop_.restart();
    }
    const bool before = called;
    checker.reset();
    loop_.run_for(std::chrono::milliseconds(5));
    loop_.restart();
    return called != before;
  }

  boost::asio::io_context loop_;
};

// Nobody can open a file while this lives.
class NoFileDescriptors {
 public:
  NoFileDescriptors() {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    rlimit none = before_;
    none.rlim_cur = 3;
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  }
  NoFileDescriptors(const NoFileDescriptors&) = delete;
  NoFileDescriptors& operator=(const NoFileDescriptors&) = delete;
  ~NoFileDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

}  // namespace ballast::healthcheck
