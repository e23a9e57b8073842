// Runs the notify programs of [[vrrp]]: an operator's own programs that are told of every change of
// state, with keepalived's arguments:
//
//   PROGRAM [its configured arguments] INSTANCE|GROUP NAME ACTIVE|BACKUP|FAULT|STOP PRIORITY
//
// keepalived says MASTER where RFC 9568 and this say ACTIVE; STOP is said when ballastd ends. The
// environment says BALLAST_FROM (the state before; INITIALIZE after a start), BALLAST_REASON (why,
// in words) and BALLAST_TIME (of the change: "2026-03-01T12:00:00.123Z").
//
// One queue for each instance or group: in order, one at a time, each for at most 30 s. When states
// come faster than the program runs, the newest 16 wait; older ones are left out, which the log
// says, but never the last. What fails is logged with its first line of output and not repeated.
//
// Programs outlive the notifier, and a restart of ballastd. What still waits when the notifier goes
// is not told to anybody: when_told() says when nothing waits. Not thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "control/vrrp/program_user.h"
#include "vrrp/action.h"

namespace boost::asio {
class io_context;
}

namespace ballast::control {

struct Notification {
  enum class Of : uint8_t { kInstance, kGroup };

  Of of = Of::kInstance;
  std::string name;
  vrrp::State from = vrrp::State::kInitialize;
  vrrp::State to = vrrp::State::kInitialize;  // kInitialize: STOP
  vrrp::Priority priority{};
  std::string reason;
  std::chrono::system_clock::time_point at;
};

class Notifier {
 public:
  static constexpr size_t kMostWaiting = 16;
  static constexpr std::chrono::seconds kTimeout{30};

  struct Options {
    std::chrono::milliseconds timeout = kTimeout;
  };
  using Log = std::function<void(bool is_warning, const std::string& line)>;

  // `loop` outlives the notifier.
  Notifier(boost::asio::io_context& loop, ProgramUser user, Log log, Options options);
  Notifier(boost::asio::io_context& loop, ProgramUser user, Log log);
  ~Notifier();
  Notifier(const Notifier&) = delete;
  Notifier& operator=(const Notifier&) = delete;

  // `command`: an absolute path, then arguments; empty: nobody is told.
  void notify(const std::vector<std::string>& command, Notification notification);
  // From the next program on.
  void set_user(ProgramUser user);

  // Called once from the loop when nothing waits or runs any more; only the last one counts.
  void when_told(std::function<void()> done);

  class Core;

 private:
  std::shared_ptr<Core> core_;
};

}  // namespace ballast::control
