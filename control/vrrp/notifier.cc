#include "control/vrrp/notifier.h"

#include <deque>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include "control/vrrp/program.h"
#include "healthcheck/printable.h"

namespace ballast::control {
namespace {

constexpr size_t kLongestReason = 1000;

std::string_view name_of(Notification::Of of) {
  return of == Notification::Of::kInstance ? "INSTANCE" : "GROUP";
}

std::string_view told_as(vrrp::State state) {
  return state == vrrp::State::kInitialize ? "STOP" : vrrp::to_string(state);
}

// RFC 3339, in UTC.
std::string text_of(std::chrono::system_clock::time_point at) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(at);
  const auto rest = std::chrono::floor<std::chrono::milliseconds>(at - seconds);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)), rest.count());
}

struct Message {
  std::vector<std::string> command;
  Notification notification;
};

}  // namespace

class Notifier::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(boost::asio::io_context& loop, ProgramUser user, Log log, Options options)
      : loop_(loop), user_(std::move(user)), log_(std::move(log)), options_(options) {}

  void notify(const std::vector<std::string>& command, Notification notification) {
    if (command.empty()) {
      return;
    }
    const Id id{notification.of, notification.name};
    Queue& queue = queues_[id];
    queue.waiting.push_back({command, std::move(notification)});
    if (queue.waiting.size() > kMostWaiting && queue.program.is_running()) {
      queue.waiting.pop_front();
      ++queue.left_out;
    }
    start_next(id);
  }

  void set_user(ProgramUser user) { user_ = std::move(user); }

  void when_told(std::function<void()> done) {
    when_told_ = std::move(done);
    boost::asio::post(loop_, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) {
        self->tell_if_idle();
      }
    });
  }

  void stop() {
    for (const auto& [id, queue] : queues_) {
      if (const size_t untold = queue.waiting.size() + queue.left_out; untold > 0) {
        log_(true,
             fmt::format("{}: {} changes of state are not told any more", words_of(id), untold));
      }
    }
    when_told_ = nullptr;
    queues_.clear();
  }

 private:
  using Id = std::pair<Notification::Of, std::string>;

  struct Queue {
    std::deque<Message> waiting;
    Program program;
    size_t left_out = 0;
  };

  static std::string words_of(const Id& id) {
    return fmt::format("notify {} {}", name_of(id.first), id.second);
  }

  void start_next(const Id& id) {
    Queue& queue = queues_[id];
    if (queue.program.is_running() || queue.waiting.empty()) {
      return;
    }
    const Message message = std::move(queue.waiting.front());
    queue.waiting.pop_front();
    const std::string& path = message.command.front();
    if (const size_t left_out = std::exchange(queue.left_out, 0); left_out > 0) {
      log_(true, fmt::format("{}: {} changes of state were left out: {} takes too long",
                             words_of(id), left_out, path));
    }
    // The program is let go of with its queue, and is silent then: `this` is there.
    queue.program = run_program(loop_, request_for(message),
                                [this, id, path, state = told_as(message.notification.to)](
                                    const ProgramEnd& end) { on_end(id, path, state, end); });
  }

  [[nodiscard]] ProgramRequest request_for(const Message& message) const {
    const Notification& what = message.notification;
    ProgramRequest request;
    request.command = message.command;
    request.command.emplace_back(name_of(what.of));
    request.command.push_back(what.name);
    request.command.emplace_back(told_as(what.to));
    request.command.push_back(std::to_string(static_cast<unsigned>(what.priority)));
    request.environment = {fmt::format("BALLAST_FROM={}", vrrp::to_string(what.from)),
                           "BALLAST_REASON=" + healthcheck::printable(what.reason, kLongestReason),
                           "BALLAST_TIME=" + text_of(what.at)};
    request.user = user_;
    request.timeout = options_.timeout;
    request.may_outlive = true;
    return request;
  }

  void on_end(const Id& id, const std::string& path, std::string_view state,
              const ProgramEnd& end) {
    const auto self = shared_from_this();
    if (!end.is_good()) {
      log_(true, fmt::format("{} {}: {}: {}", words_of(id), state, path, end.to_string()));
    } else {
      log_(false, fmt::format("{} {}: {}: told", words_of(id), state, path));
    }
    if (!end.changeable.empty() && end.how != ProgramEnd::How::kNotStarted &&
        warned_of_.insert(path).second) {
      log_(true, fmt::format("notify {}: {} can be changed by others than root and the user that "
                             "it runs as",
                             path, end.changeable));
    }
    const auto queue = queues_.find(id);
    if (queue == queues_.end()) {
      return;
    }
    if (queue->second.waiting.empty()) {
      queues_.erase(queue);
      tell_if_idle();
    } else {
      start_next(id);
    }
  }

  void tell_if_idle() {
    if (queues_.empty() && when_told_) {
      std::exchange(when_told_, nullptr)();
    }
  }

  boost::asio::io_context& loop_;
  ProgramUser user_;
  Log log_;
  Options options_;
  std::map<Id, Queue> queues_;  // only those that have something to do
  std::set<std::string> warned_of_;
  std::function<void()> when_told_;
};

Notifier::Notifier(boost::asio::io_context& loop, ProgramUser user, Log log, Options options)
    : core_(std::make_shared<Core>(loop, std::move(user), std::move(log), options)) {}

Notifier::Notifier(boost::asio::io_context& loop, ProgramUser user, Log log)
    : Notifier(loop, std::move(user), std::move(log), Options{}) {}

Notifier::~Notifier() {
  core_->stop();
}

void Notifier::notify(const std::vector<std::string>& command, Notification notification) {
  core_->notify(command, std::move(notification));
}

void Notifier::set_user(ProgramUser user) {
  core_->set_user(std::move(user));
}

void Notifier::when_told(std::function<void()> done) {
  core_->when_told(std::move(done));
}

}  // namespace ballast::control
