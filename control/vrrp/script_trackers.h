// Runs the check scripts that VRRP instances track, each at its interval, and tells every result.
//
// set() is declarative: a script that is still wanted keeps its rhythm, in the middle of a run too;
// one that is not is killed. Identical commands with identical times are one script, whoever wants
// them; who comes later is told the last result at once.
//
// The first run begins at once, spread by up to a tenth of the interval and half a second, so that
// many scripts do not begin together. From then on a run is due every interval, from begin to
// begin. Never two at once: a script that has not ended when the next run is due, because it cannot
// be killed, has failed once more, and the run is left out. A timeout is told when the time is
// over, not when the script is gone.
//
// Results are told from the loop, never from inside set(). Counting them (rise, fall) is vrrp's
// (vrrp/tracking.h). Not thread-safe.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "control/vrrp/program_user.h"

namespace boost::asio {
class io_context;
}

namespace ballast::control {

struct ScriptSettings {
  std::string key;                   // of the group that tracks it
  std::string name;                  // of the thing, within the group: VrrpTrack::name()
  std::vector<std::string> command;  // an absolute path, then arguments
  std::chrono::milliseconds interval{2000};
  std::chrono::milliseconds timeout{1000};  // not longer than the interval

  friend bool operator==(const ScriptSettings&, const ScriptSettings&) = default;
};

class ScriptTrackers {
 public:
  // May call set(), and may destroy the trackers.
  using OnResult = std::function<void(const std::string& key, const std::string& name, bool is_good,
                                      const std::string& text)>;
  // A line for the log that is a warning.
  using OnWarning = std::function<void(const std::string&)>;

  // `loop` outlives the trackers.
  ScriptTrackers(boost::asio::io_context& loop, ProgramUser user, OnResult on_result,
                 OnWarning on_warning);
  ~ScriptTrackers();
  ScriptTrackers(const ScriptTrackers&) = delete;
  ScriptTrackers& operator=(const ScriptTrackers&) = delete;

  void set(const std::vector<ScriptSettings>& scripts);
  // From the next run on.
  void set_user(ProgramUser user);

  class Core;

 private:
  std::shared_ptr<Core> core_;
};

}  // namespace ballast::control
