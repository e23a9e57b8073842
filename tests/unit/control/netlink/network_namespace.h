// A fresh network namespace for one test, with a second one behind a veth pair: what the tests of
// netlink run in.
//
// The test's own thread moves into a new namespace; a child process that only waits holds the other
// one. In the first, "wan" (10.0.0.1/24, 2001:db8::1/64) is up; its far end "peer" (10.0.0.2/24,
// 2001:db8::2/64) is in the second.
#pragma once

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/netlink/mirror.h"

namespace ballast::netlink {

class NetworkNamespaceTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) {
      GTEST_SKIP() << "needs root: it makes network namespaces";
    }
    if (::unshare(CLONE_NEWNET) != 0) {
      GTEST_SKIP() << "this machine does not allow network namespaces";
    }
    start_peer();
    run("ip link set lo up");
    run("sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.default.accept_dad=0");
    in_peer("sysctl -qw net.ipv6.conf.default.accept_dad=0");
    make_wan();
  }
  void TearDown() override {
    if (peer_ > 0) {
      ::kill(peer_, SIGKILL);
      ::waitpid(peer_, nullptr, 0);
    }
  }

  void make_wan() {
    run(fmt::format("ip link add wan type veth peer name peer netns {}", peer_));
    run("ip address add 10.0.0.1/24 dev wan; ip address add 2001:db8::1/64 dev wan nodad; ip link "
        "set wan up");
    in_peer("ip address add 10.0.0.2/24 dev peer");
    in_peer("ip address add 2001:db8::2/64 dev peer nodad");
    in_peer("ip link set peer up");
  }

  static void run(const std::string& command) {
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
  }
  void in_peer(const std::string& command) const {
    run(fmt::format("nsenter --net=/proc/{}/ns/net {}", peer_, command));
  }
  static std::string output_of(const std::string& command) {
    std::string output;
    FILE* pipe = ::popen(command.c_str(), "r");
    char buffer[4096];
    while (pipe != nullptr && std::fgets(buffer, sizeof buffer, pipe) != nullptr) {
      output += buffer;
    }
    if (pipe != nullptr) {
      ::pclose(pipe);
    }
    return output;
  }

  // Runs the loop until the condition holds; false if it does not in time.
  bool until(const std::function<bool()>& condition,
             std::chrono::seconds limit = std::chrono::seconds(20)) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) {
        return false;
      }
      io_.restart();
      io_.run_one_for(std::chrono::milliseconds(50));
    }
    return true;
  }

  std::unique_ptr<Mirror> open_mirror(Mirror::Callback callback = {},
                                      const MirrorOptions& options = {}) {
    auto mirror = Mirror::open(io_, std::move(callback), options);
    EXPECT_TRUE(mirror) << mirror.error();
    return mirror ? std::move(*mirror) : nullptr;
  }

  boost::asio::io_context io_;

 private:
  void start_peer() {
    int ready[2];
    ASSERT_EQ(::pipe(ready), 0);
    peer_ = ::fork();
    if (peer_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      const char done = ::unshare(CLONE_NEWNET) == 0 ? 'y' : 'n';
      (void)!::write(ready[1], &done, 1);
      for (;;) {
        ::pause();
      }
    }
    char done = 'n';
    ASSERT_EQ(::read(ready[0], &done, 1), 1);
    ASSERT_EQ(done, 'y');
    ::close(ready[0]);
    ::close(ready[1]);
  }

  pid_t peer_ = -1;
};

inline IpAddress ip(const char* text) {
  return IpAddress::parse(text).value();
}
inline Prefix block(const char* text) {
  return Prefix::parse(text).value();
}

}  // namespace ballast::netlink
