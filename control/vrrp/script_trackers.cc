#include "control/vrrp/script_trackers.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

#include "control/vrrp/program.h"
#include "toml_reader/duration.h"

namespace ballast::control {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kSpreadShare = 10;  // of the interval
constexpr milliseconds kLongestSpread{500};

// What is run; all that agree in this are one script.
using Work = std::tuple<std::vector<std::string>, milliseconds, milliseconds>;
// Who wants it: key and name.
using Wanter = std::pair<std::string, std::string>;

// The same for the same script, so that a reload that adds and removes it moves nothing.
milliseconds spread_of(const std::vector<std::string>& command, milliseconds interval) {
  const milliseconds most = std::min(interval / kSpreadShare, kLongestSpread);
  size_t hash = 0;
  for (const std::string& word : command) {
    hash = hash * 31 + std::hash<std::string>()(word);
  }
  return milliseconds(hash % static_cast<size_t>(most.count() + 1));
}

struct Result {
  bool is_good = false;
  std::string text;
};

}  // namespace

// Callbacks may do anything to the trackers: after each of them everything is looked up again.
class ScriptTrackers::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(boost::asio::io_context& loop, ProgramUser user, OnResult on_result, OnWarning on_warning)
      : loop_(loop),
        user_(std::move(user)),
        on_result_(std::move(on_result)),
        on_warning_(std::move(on_warning)) {}

  void set(const std::vector<ScriptSettings>& scripts) {
    std::map<Work, std::vector<Wanter>> wanted;
    for (const ScriptSettings& script : scripts) {
      wanted[{script.command, script.interval, script.timeout}].emplace_back(script.key,
                                                                             script.name);
    }
    std::erase_if(scripts_, [&](const auto& entry) { return !wanted.contains(entry.first); });
    for (auto& [work, wanters] : wanted) {
      const auto [found, is_new] = scripts_.try_emplace(work, nullptr);
      if (is_new) {
        found->second = std::make_shared<Script>(loop_, ++scripts_made_);
        begin(*found->second, work);
      }
      tell_newcomers(*found->second, work, wanters);
      found->second->wanters = std::move(wanters);
    }
  }

  void set_user(ProgramUser user) { user_ = std::move(user); }

  void stop() {
    is_stopped_ = true;
    scripts_.clear();
  }

 private:
  struct Script {
    Script(boost::asio::io_context& loop, uint64_t number) : id(number), timer(loop) {}

    uint64_t id;  // a script that was removed and came back is another
    std::vector<Wanter> wanters;
    boost::asio::steady_timer timer;
    steady_clock::time_point due;
    Program program;
    std::optional<Result> last;
    bool told_since_due = false;  // of the run that is under way
    bool has_warned = false;
  };

  // Null: it is not wanted any more.
  std::shared_ptr<Script> find(const Work& work, uint64_t id) {
    const auto found = scripts_.find(work);
    return !is_stopped_ && found != scripts_.end() && found->second->id == id ? found->second
                                                                              : nullptr;
  }

  void begin(Script& script, const Work& work) {
    const auto& [command, interval, timeout] = work;
    script.due = steady_clock::now() + spread_of(command, interval);
    wait(script, work);
  }

  void wait(Script& script, const Work& work) {
    script.timer.expires_at(script.due);
    script.timer.async_wait(
        [weak = weak_from_this(), work, id = script.id](const boost::system::error_code& error) {
          const auto self = weak.lock();
          if (const auto found = !error && self ? self->find(work, id) : nullptr) {
            self->on_due(*found, work);
          }
        });
  }

  void on_due(Script& script, const Work& work) {
    const auto& [command, interval, timeout] = work;
    // Runs that a late loop has missed are not made up for.
    const auto late = steady_clock::now() - script.due;
    script.due += interval * (1 + std::max<int64_t>(0, late / interval));
    wait(script, work);
    const uint64_t id = script.id;
    if (script.program.is_running()) {
      if (!std::exchange(script.told_since_due, false)) {
        tell(work, id, {false, "it was killed, and has not ended"});
      }
      return;
    }
    script.told_since_due = false;
    ProgramRequest request;
    request.command = command;
    request.user = user_;
    request.timeout = timeout;
    script.program = run_program(
        loop_, std::move(request),
        [this, work, id](const ProgramEnd& end) { on_end(work, id, end); },
        [this, work, id] { on_timeout(work, id); });
  }

  // The program is silent when its script is gone: `this` is there at the begin of these two.
  void on_timeout(const Work& work, uint64_t id) {
    const auto self = shared_from_this();
    if (const auto script = find(work, id)) {
      script->told_since_due = true;
      tell(work, id,
           {false, fmt::format("timed out after {}", format_duration(std::get<2>(work)))});
    }
  }

  void on_end(const Work& work, uint64_t id, const ProgramEnd& end) {
    const auto self = shared_from_this();
    const auto script = find(work, id);
    if (!script) {
      return;
    }
    if (!end.changeable.empty() && end.how != ProgramEnd::How::kNotStarted &&
        !std::exchange(script->has_warned, true)) {
      on_warning_(
          fmt::format("script {}: {} can be changed by others than root and the user that "
                      "it runs as",
                      std::get<0>(work).front(), end.changeable));
    }
    if (end.how != ProgramEnd::How::kTimedOut) {  // has been told already
      tell(work, id, {end.is_good(), end.to_string()});
    }
  }

  void tell(const Work& work, uint64_t id, const Result& result) {
    const auto script = find(work, id);
    if (!script) {
      return;
    }
    script->last = result;
    const std::vector<Wanter> wanters = script->wanters;
    for (const Wanter& wanter : wanters) {
      tell_one(work, id, wanter, result);
    }
  }

  void tell_one(const Work& work, uint64_t id, const Wanter& wanter, const Result& result) {
    const auto script = find(work, id);
    if (script && std::find(script->wanters.begin(), script->wanters.end(), wanter) !=
                      script->wanters.end()) {
      on_result_(wanter.first, wanter.second, result.is_good, result.text);
    }
  }

  // Those that the script has not been told to yet, and would wait for an interval.
  void tell_newcomers(const Script& script, const Work& work, const std::vector<Wanter>& wanters) {
    if (!script.last) {
      return;
    }
    for (const Wanter& wanter : wanters) {
      if (std::find(script.wanters.begin(), script.wanters.end(), wanter) == script.wanters.end()) {
        boost::asio::post(loop_, [weak = weak_from_this(), work, id = script.id, wanter] {
          const auto self = weak.lock();
          if (const auto found = self ? self->find(work, id) : nullptr) {
            self->tell_one(work, id, wanter, Result(*found->last));
          }
        });
      }
    }
  }

  boost::asio::io_context& loop_;
  ProgramUser user_;
  OnResult on_result_;
  OnWarning on_warning_;
  std::map<Work, std::shared_ptr<Script>> scripts_;
  uint64_t scripts_made_ = 0;
  bool is_stopped_ = false;
};

ScriptTrackers::ScriptTrackers(boost::asio::io_context& loop, ProgramUser user, OnResult on_result,
                               OnWarning on_warning)
    : core_(std::make_shared<Core>(loop, std::move(user), std::move(on_result),
                                   std::move(on_warning))) {}

ScriptTrackers::~ScriptTrackers() {
  core_->stop();
}

void ScriptTrackers::set(const std::vector<ScriptSettings>& scripts) {
  core_->set(scripts);
}

void ScriptTrackers::set_user(ProgramUser user) {
  core_->set_user(std::move(user));
}

}  // namespace ballast::control
