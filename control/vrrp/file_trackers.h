// Watches the files that VRRP instances track: whether each exists. Told at first, and when it
// changes.
//
// Files are looked at ten times a second by a thread of its own: a folder that comes later, is
// replaced or mounted over is seen like anything else, which watching by inotify would have to be
// built around; and looking at a file may take for ever, if a network file system does not answer.
// Then the loop goes on, the file that is waited for is told as not good once 2 s have passed, and
// the others stand still, with a warning, until it answers. Tracked files belong on a file system
// of the machine itself.
//
// A file exists if stat() says so: a symbolic link to nothing does not. What cannot be known (no
// permission for a folder on the way) is not good, whatever is wanted.
//
// Results are told from the loop, never from inside set(). Not thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "control/config/vrrp_settings.h"

namespace boost::asio {
class io_context;
}

namespace ballast::control {

struct FileSettings {
  std::string key;   // of the group that tracks it
  std::string name;  // of the thing, within the group: VrrpTrack::name()
  std::string path;
  FileIsUpIf up_if = FileIsUpIf::kExists;

  friend bool operator==(const FileSettings&, const FileSettings&) = default;
};

class FileTrackers {
 public:
  // May call set(), and may destroy the trackers. The text: "exists", "missing", or why neither is
  // known.
  using OnResult = std::function<void(const std::string& key, const std::string& name, bool is_good,
                                      const std::string& text)>;
  // A line for the log that is a warning.
  using OnWarning = std::function<void(const std::string&)>;

  // 0: the file exists; otherwise errno. Called by the thread, even a while after the trackers are
  // gone.
  using Look = std::function<int(const std::string& path)>;

  // `loop` outlives the trackers. `look` is stat(), unless a test knows better.
  FileTrackers(boost::asio::io_context& loop, OnResult on_result, OnWarning on_warning,
               Look look = nullptr);
  ~FileTrackers();
  FileTrackers(const FileTrackers&) = delete;
  FileTrackers& operator=(const FileTrackers&) = delete;

  // Declarative: what was there before is told again only when it changes.
  void set(const std::vector<FileSettings>& files);

  class Core;

 private:
  std::shared_ptr<Core> core_;
};

}  // namespace ballast::control
