// ballastd: checks servers, follows the kernel, and tells the dataplane what to forward. See
// docs/architecture.md.
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "control/daemon/daemon.h"
#include "control/daemon/log_level.h"
#include "control/daemon/open_files.h"

namespace ballast::control {
namespace {

constexpr int kRefused = 1;
constexpr int kUsage = 2;
constexpr int kFenced = 3;  // another ballastd is in charge: the unit does not restart this one

void start_logging(LogLevel level) {
  spdlog::set_default_logger(spdlog::stderr_logger_mt("ballastd"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %n[%P] %v");
  set_log_level(level);
  spdlog::flush_on(spdlog::level::info);
}

// What the process does when its loop has ended.
struct Ending {
  int status = EXIT_SUCCESS;
  bool is_under_way = false;
  bool begins_anew = false;
};

void wait_for_signals(boost::asio::signal_set& signals, boost::asio::io_context& loop,
                      Daemon& daemon, Ending& ending) {
  signals.async_wait([&](const boost::system::error_code& error, int number) {
    if (error) {
      return;
    }
    if (number == SIGHUP) {
      daemon.reload_and_log();
    } else if (number == SIGUSR2) {
      daemon.restart_and_log();
    } else if (std::exchange(ending.is_under_way, true)) {
      spdlog::info("signal {} again: stopping at once", number);
      return loop.stop();
    } else {
      spdlog::info("signal {}: stopping; the dataplane goes on forwarding what VRRP does not move",
                   number);
      daemon.prepare_end([&loop] { loop.stop(); });
    }
    wait_for_signals(signals, loop, daemon, ending);
  });
}

// The program as it is installed now, which may not be the one that runs.
std::string path_of_this_program() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).string();
}

// Returns only when it cannot be done.
int begin_anew(const std::string& path, char** arguments) {
  ::execv(path.c_str(), arguments);
  spdlog::error("restart: {}: {}", path, std::strerror(errno));
  return kRefused;
}

int run(const std::string& file, bool check_only, char** arguments) {
  auto loaded = load_configuration(file, Capabilities{});
  if (!loaded) {
    fmt::print(stderr, "{}\n", fmt::join(loaded.error(), "\n"));
    return kRefused;
  }
  if (check_only) {
    fmt::print("{}: good\n", file);
    return EXIT_SUCCESS;
  }
  start_logging(loaded->configuration.daemon.log_level);
  const std::string program = path_of_this_program();
  boost::asio::io_context loop;
  Ending ending;
  boost::asio::signal_set signals(loop, SIGINT, SIGTERM, SIGHUP);
  signals.add(SIGUSR2);
  const uint64_t open_files = raise_open_files();
  const uint32_t checks = checks_at_once(open_files);
  auto daemon = Daemon::start(loop,
                              {.file = file,
                               .checks_at_once = checks,
                               .on_fenced =
                                   [&loop, &ending] {
                                     ending.status = kFenced;
                                     loop.stop();
                                   },
                               .on_restart =
                                   [&loop, &ending] {
                                     ending.begins_anew = true;
                                     loop.stop();
                                   }},
                              std::move(*loaded));
  if (!daemon) {
    fmt::print(stderr, "ballastd: {}\n", daemon.error());
    return kRefused;
  }
  wait_for_signals(signals, loop, **daemon, ending);
  spdlog::info("started: version {} file {}", BALLAST_VERSION, file);
  spdlog::info("limit of open files: {}: at most {} checks of servers at once", open_files, checks);
  loop.run();
  daemon->reset();
  return ending.begins_anew ? begin_anew(program, arguments) : ending.status;
}

}  // namespace
}  // namespace ballast::control

int main(int argc, char** argv) {
  CLI::App app{"the control daemon of ballast"};
  std::string file = "/etc/ballast/ballast.toml";
  bool check_only = false;
  app.set_version_flag("--version", "ballastd " BALLAST_VERSION);
  app.add_option("-c,--config", file, "ballast.toml")->capture_default_str();
  app.add_flag("--check", check_only, "check the configuration, start nothing");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? EXIT_SUCCESS : ballast::control::kUsage;
  }
  return ballast::control::run(file, check_only, argv);
}
