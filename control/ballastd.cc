// ballastd: checks servers, follows the kernel, and tells the dataplane what to forward. See
// docs/architecture.md.
#include <csignal>
#include <cstdlib>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

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

void wait_for_signals(boost::asio::signal_set& signals, boost::asio::io_context& loop,
                      Daemon& daemon) {
  signals.async_wait([&](const boost::system::error_code& error, int number) {
    if (error) {
      return;
    }
    if (number != SIGHUP) {
      spdlog::info("signal {}: stopping; the dataplane goes on forwarding", number);
      return loop.stop();
    }
    daemon.reload_and_log();
    wait_for_signals(signals, loop, daemon);
  });
}

int run(const std::string& file, bool check_only) {
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
  boost::asio::io_context loop;
  int status = EXIT_SUCCESS;
  boost::asio::signal_set signals(loop, SIGINT, SIGTERM, SIGHUP);
  const uint64_t open_files = raise_open_files();
  const uint32_t checks = checks_at_once(open_files);
  auto daemon = Daemon::start(loop,
                              {.file = file,
                               .checks_at_once = checks,
                               .on_fenced =
                                   [&loop, &status] {
                                     status = kFenced;
                                     loop.stop();
                                   }},
                              std::move(*loaded));
  if (!daemon) {
    fmt::print(stderr, "ballastd: {}\n", daemon.error());
    return kRefused;
  }
  wait_for_signals(signals, loop, **daemon);
  spdlog::info("started: version {} file {}", BALLAST_VERSION, file);
  spdlog::info("limit of open files: {}: at most {} checks of servers at once", open_files, checks);
  loop.run();
  return status;
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
  return ballast::control::run(file, check_only);
}
