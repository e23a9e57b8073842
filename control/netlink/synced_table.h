// One table of the kernel, kept equal to it by a stream of events and by dumps, without stopping
// the one for the other.
//
// Theory of operation. Events and the messages of a dump come over two sockets; their order is not
// known. A dump is therefore collected aside, while events go on being applied to the table itself,
// and for each key that an event touched since the dump began, the table is right and the dump is
// not asked: an event that the dump does not reflect yet is newer than it, and one that it does
// reflect is followed by every later one. When the dump ends, the collected table takes the place
// of the old one.
//
// Memory: twice the table while a dump runs.
#pragma once

#include <map>
#include <set>
#include <utility>

namespace ballast::netlink {

template <class Key, class Value>
class SyncedTable {
 public:
  using Map = std::map<Key, Value>;

  // `live` outlives this.
  explicit SyncedTable(Map& live) : live_(live) {}

  // An event. True if the table changed.
  bool set(const Key& key, Value value) {
    touch(key);
    const auto found = live_.find(key);
    if (found == live_.end()) {
      live_.emplace(key, std::move(value));
      return true;
    }
    if (found->second == value) {
      return false;
    }
    found->second = std::move(value);
    return true;
  }
  bool erase(const Key& key) {
    touch(key);
    return live_.erase(key) != 0;
  }

  void begin_dump() {
    abandon_dump();
    dumping_ = true;
  }
  void abandon_dump() {
    dumping_ = false;
    incoming_.clear();
    touched_.clear();
  }
  [[nodiscard]] bool dumping() const { return dumping_; }
  // Of the running dump: whether an event came for this key, and what was collected for it; null
  // for nothing yet.
  [[nodiscard]] bool touched(const Key& key) const { return touched_.contains(key); }
  [[nodiscard]] const Value* find_collected(const Key& key) const {
    const auto found = incoming_.find(key);
    return found == incoming_.end() ? nullptr : &found->second;
  }

  // The value that the running dump collects for this key.
  Value& collected(const Key& key) {
    if (!incoming_.empty()) {  // dumps are mostly in order
      if (auto last = std::prev(incoming_.end()); last->first == key) {
        return last->second;
      }
    }
    return incoming_.try_emplace(incoming_.end(), key)->second;
  }

  // `keep_unseen`: the dump was disturbed and may lack entries; those that it lacks stay. Calls
  // changed(key) for every key whose value differs from before.
  template <class Changed>
  void end_dump(bool keep_unseen, Changed changed) {
    for (const auto& key : touched_) {
      incoming_.erase(key);
      if (auto node = live_.extract(key)) {
        incoming_.insert(std::move(node));
      }
    }
    report(keep_unseen, changed);
    if (keep_unseen) {
      incoming_.merge(live_);
    }
    live_.swap(incoming_);
    abandon_dump();
  }

 private:
  void touch(const Key& key) {
    if (dumping_) {
      touched_.insert(key);
    }
  }

  // Walks both maps side by side.
  template <class Changed>
  void report(bool keep_unseen, Changed changed) {
    auto old_entry = live_.begin();
    auto new_entry = incoming_.begin();
    while (old_entry != live_.end() || new_entry != incoming_.end()) {
      const bool only_old = new_entry == incoming_.end() ||
                            (old_entry != live_.end() && old_entry->first < new_entry->first);
      const bool only_new =
          old_entry == live_.end() || (!only_old && new_entry->first < old_entry->first);
      if (only_old) {
        if (!keep_unseen) {
          changed(old_entry->first);
        }
        ++old_entry;
      } else if (only_new) {
        // A key that an event touched was moved here, and was reported when the event came.
        if (!touched_.contains(new_entry->first)) {
          changed(new_entry->first);
        }
        ++new_entry;
      } else {
        if (old_entry->second != new_entry->second) {
          changed(old_entry->first);
        }
        ++old_entry;
        ++new_entry;
      }
    }
  }

  Map& live_;
  Map incoming_;
  std::set<Key> touched_;
  bool dumping_ = false;
};

}  // namespace ballast::netlink
