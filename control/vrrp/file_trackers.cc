#include "control/vrrp/file_trackers.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <system_error>
#include <thread>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>
#include <sys/stat.h>

namespace ballast::control {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kLookEvery{100};
constexpr milliseconds kHangs{2000};

int look_by_stat(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? 0 : errno;
}

// What the loop and the thread that looks tell each other. The lock is never held for longer than
// it takes to copy: the loop does not wait for a file. The thread is not waited for either when it
// is to end, so it has its part of this.
class Board {
 public:
  struct Findings {
    std::map<std::string, int> seen;  // by path: 0 or errno
    std::string hanging;              // a path that has been looked at for too long
  };

  void set_paths(std::set<std::string> paths) {
    const std::lock_guard lock(mutex_);
    std::erase_if(seen_, [&](const auto& entry) { return !paths.contains(entry.first); });
    paths_ = std::move(paths);
    is_new_ = true;
    wake_.notify_all();
  }

  void stop() {
    const std::lock_guard lock(mutex_);
    is_stopped_ = true;
    wake_.notify_all();
  }

  [[nodiscard]] Findings findings() const {
    const std::lock_guard lock(mutex_);
    Findings findings{.seen = seen_, .hanging = {}};
    if (!looking_at_.empty() && steady_clock::now() - looking_since_ >= kHangs) {
      findings.hanging = looking_at_;
    }
    return findings;
  }

  // The thread.
  void look_until_stopped(const FileTrackers::Look& look) {
    std::unique_lock lock(mutex_);
    while (!is_stopped_) {
      is_new_ = false;
      const std::set<std::string> paths = paths_;
      for (const std::string& path : paths) {
        looking_at_ = path;
        looking_since_ = steady_clock::now();
        lock.unlock();
        const int found = look(path);
        lock.lock();
        looking_at_.clear();
        if (is_stopped_) {
          return;
        }
        if (paths_.contains(path)) {
          seen_[path] = found;
        }
      }
      wake_.wait_for(lock, kLookEvery, [this] { return is_stopped_ || is_new_; });
    }
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::set<std::string> paths_;
  std::map<std::string, int> seen_;
  std::string looking_at_;
  steady_clock::time_point looking_since_;
  bool is_new_ = false;
  bool is_stopped_ = false;
};

struct Result {
  bool is_good = false;
  std::string text;

  friend bool operator==(const Result&, const Result&) = default;
};

Result result_of(int found, FileIsUpIf up_if) {
  if (found == 0) {
    return {up_if == FileIsUpIf::kExists, "exists"};
  }
  if (found == ENOENT || found == ENOTDIR) {
    return {up_if == FileIsUpIf::kMissing, "missing"};
  }
  return {false, "cannot be looked at: " + std::generic_category().message(found)};
}

}  // namespace

class FileTrackers::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(boost::asio::io_context& loop, OnResult on_result, OnWarning on_warning, Look look)
      : on_result_(std::move(on_result)),
        on_warning_(std::move(on_warning)),
        look_(look ? std::move(look) : look_by_stat),
        timer_(loop) {}

  void set(const std::vector<FileSettings>& files) {
    std::vector<Watch> watches;
    std::set<std::string> paths;
    for (const FileSettings& file : files) {
      const auto known = std::find_if(watches_.begin(), watches_.end(),
                                      [&](const Watch& watch) { return watch.file == file; });
      watches.push_back({file, known != watches_.end() ? known->told : std::nullopt});
      paths.insert(file.path);
    }
    watches_ = std::move(watches);
    board_->set_paths(std::move(paths));
    if (!watches_.empty() && !is_ticking_) {
      is_ticking_ = true;
      wait(milliseconds(0));
    }
  }

  void stop() {
    board_->stop();
    watches_.clear();
    timer_.cancel();
  }

 private:
  struct Watch {
    FileSettings file;
    std::optional<Result> told;
  };

  void wait(milliseconds time) {
    timer_.expires_after(time);
    timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
      if (const auto self = weak.lock(); self && !error) {
        self->tick();
      }
    });
  }

  void tick() {
    is_ticking_ = !watches_.empty();
    if (!is_ticking_ || !start_thread()) {
      return;
    }
    wait(kLookEvery);
    const Board::Findings findings = board_->findings();
    if (findings.hanging != std::exchange(hanging_, findings.hanging) && !hanging_.empty()) {
      on_warning_(
          fmt::format("file {}: its file system does not answer: no tracked file is "
                      "looked at until it does",
                      hanging_));
    }
    const std::vector<Watch> watches = watches_;  // callbacks may change it
    for (const Watch& watch : watches) {
      if (const auto result = find_result(watch.file, findings)) {
        tell(watch.file, *result);
      }
    }
  }

  // On failure it is tried again a little later.
  bool start_thread() {
    if (has_thread_) {
      return true;
    }
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are the loop's
    try {
      std::thread([board = board_, look = look_] { board->look_until_stopped(look); }).detach();
      has_thread_ = true;
    } catch (const std::system_error& error) {
      if (!std::exchange(has_warned_, true)) {
        on_warning_(fmt::format("files are not looked at: no thread: {}", error.what()));
      }
      wait(kHangs);
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return has_thread_;
  }

  static std::optional<Result> find_result(const FileSettings& file,
                                           const Board::Findings& findings) {
    if (file.path == findings.hanging) {
      return Result{false, "cannot be looked at: its file system does not answer"};
    }
    const auto seen = findings.seen.find(file.path);
    if (seen == findings.seen.end()) {
      return std::nullopt;
    }
    return result_of(seen->second, file.up_if);
  }

  void tell(const FileSettings& file, const Result& result) {
    const auto watch = std::find_if(watches_.begin(), watches_.end(),
                                    [&](const Watch& each) { return each.file == file; });
    if (watch != watches_.end() && watch->told != result) {
      watch->told = result;
      on_result_(file.key, file.name, result.is_good, result.text);
    }
  }

  OnResult on_result_;
  OnWarning on_warning_;
  Look look_;
  boost::asio::steady_timer timer_;
  std::vector<Watch> watches_;
  std::shared_ptr<Board> board_ = std::make_shared<Board>();
  std::string hanging_;
  bool is_ticking_ = false;
  bool has_thread_ = false;
  bool has_warned_ = false;
};

FileTrackers::FileTrackers(boost::asio::io_context& loop, OnResult on_result, OnWarning on_warning,
                           Look look)
    : core_(std::make_shared<Core>(loop, std::move(on_result), std::move(on_warning),
                                   std::move(look))) {}

FileTrackers::~FileTrackers() {
  core_->stop();
}

void FileTrackers::set(const std::vector<FileSettings>& files) {
  core_->set(files);
}

}  // namespace ballast::control
