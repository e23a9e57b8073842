// Programs that a test writes itself, and a loop that runs until what the test waits for is there.
#pragma once

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>
#include <unistd.h>

#include "control/vrrp/program_user.h"

namespace ballast::control {

class ProgramTest : public testing::Test {
 public:
  ProgramTest(const ProgramTest&) = delete;
  ProgramTest& operator=(const ProgramTest&) = delete;
  ~ProgramTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

 protected:
  ProgramTest() {
    std::string name = testing::TempDir() + "ballast-program-XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    // Programs run as another user.
    std::filesystem::permissions(folder_, std::filesystem::perms(0755));
  }

  [[nodiscard]] std::string path(const std::string& name) const { return folder_ / name; }

  // A shell script; returns its path.
  std::string script(const std::string& name, const std::string& text, unsigned mode = 0755) const {
    write(name, "#!/bin/sh\n" + text + "\n", mode);
    return path(name);
  }
  void write(const std::string& name, const std::string& text, unsigned mode = 0644) const {
    std::ofstream(path(name)) << text;
    std::filesystem::permissions(path(name), std::filesystem::perms(mode));
  }
  [[nodiscard]] std::string read(const std::string& name) const {
    std::ifstream file(path(name));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // A file that the programs' user may write to.
  void share(const std::string& name) const { write(name, "", 0666); }

  template <typename Condition>
  [[nodiscard]] bool run_until(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!condition() && std::chrono::steady_clock::now() < deadline) {
      loop_.restart();
      loop_.run_one_for(std::chrono::milliseconds(20));
    }
    return condition();
  }

  static ProgramUser nobody() {
    auto user = find_program_user("nobody");
    EXPECT_TRUE(user) << user.error();
    return user.value_or(ProgramUser{});
  }
  static bool is_root() { return ::geteuid() == 0; }

  static size_t open_descriptors() {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                                             std::filesystem::directory_iterator()));
  }

  // Processes whose parent is this one: running, or dead and not reaped.
  static std::vector<std::string> children() {
    std::ifstream file("/proc/self/task/" + std::to_string(::getpid()) + "/children");
    return {std::istream_iterator<std::string>(file), {}};
  }
  static bool process_exists(const std::string& number) {
    // A zombie that nobody reaps any more does not count.
    std::ifstream file("/proc/" + number + "/stat");
    std::string text{std::istreambuf_iterator<char>(file), {}};
    return !text.empty() && text.find(") Z ") == std::string::npos;
  }

  boost::asio::io_context loop_;
  std::filesystem::path folder_;
};

}  // namespace ballast::control
