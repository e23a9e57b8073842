// The command line of ballastctl: from words to a value that says what to do, or to help, a
// version, or what is wrong.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <variant>

#include "control/api/limits.h"
#include "control/ctl/command_tree.h"
#include "control/ctl/exit_code.h"

namespace ballast::control {

enum class Command {
  kStatus,
  kServiceList,
  kServiceShow,
  kConnectionList,
  kPortShow,
  kDrops,
  kChecks,
  kReload,
  kCheck,
  kDiff,
  kServerDrain,
  kServerDisable,
  kServerEnable,
  kVrrpList,
  kVrrpShow,
  kVrrpFailover,
  kVrrpRelease,
  kRestart,
  kCompletion,
  kNames,  // of services, for completion
  kVrrpNames,
  kPortNames,
};

struct CommandLine {
  Command command = Command::kStatus;
  std::string socket{kDefaultControlSocket};
  bool json = false;
  std::chrono::milliseconds timeout{10'000};

  std::string file;                          // check, diff
  std::string service;                       // service show, server ...
  std::string instance;                      // vrrp ...: or a group
  std::string port_name;                     // port show; empty: all
  std::string address;                       // server ...
  uint16_t port = 0;                         // server ...; 0: not said
  bool all = false;                          // drops, connection list
  bool stats = false;                        // service ...
  bool rate = false;                         // service ...
  std::chrono::milliseconds interval{1000};  // of rate
  uint64_t limit = 1000;                     // connection list
  std::string client;                        // connection list: address or prefix
  std::string vip;
  uint16_t vip_port = 0;
  std::string server;  // connection list: address or prefix
  std::string shell;   // completion
};

// The program ends here.
struct EarlyEnd {
  ExitCode exit_code = ExitCode::kOk;
  std::string text;   // help or version for standard output, or what is wrong
  bool json = false;  // --json was given: what is wrong is to be told as JSON
};

std::variant<CommandLine, EarlyEnd> parse_command_line(int argc, const char* const* argv);

// All commands and options, for completion.
CommandTree command_tree();

}  // namespace ballast::control
