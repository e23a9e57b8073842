// Addresses given away on purpose: by an operator, before a restart, at the end.
#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>
#include <spdlog/spdlog.h>

#include "control/daemon/vrrp_part.h"
#include "control/daemon/vrrp_timers.h"

namespace ballast::control {
namespace {

using std::chrono::milliseconds;
using vrrp::TimePoint;

// How often it is looked how far a move is, and how long at most: version 2 with its longest
// interval takes longer, and is not waited for.
constexpr milliseconds kMovePeriod{5};
constexpr milliseconds kMovePatience{10'000};

// For how long this node wants to be away; the other nodes believe in less if their interval is
// short (vrrp::longest_believed_interval).
constexpr milliseconds kRestartTime{4'000};
constexpr milliseconds kPreparePatience{3'000};

// How long notify programs may take to hear of the end.
constexpr milliseconds kStopPatience{2'000};

const vrrp::GroupStatus* find(const vrrp::SpeakerStatus& status, const std::string& name) {
  const auto found = std::ranges::find(status.groups, name, &vrrp::GroupStatus::name);
  return found == status.groups.end() ? nullptr : &*found;
}

bool is_under_way(const vrrp::GroupStatus& group) {
  return group.state != vrrp::State::kActive &&
         std::ranges::any_of(group.routers, [](const vrrp::RouterStatus& router) {
           return router.lease != vrrp::LeaseMode::kNone;
         });
}

// Who sent an advert that holds the addresses: the latest one of the first family that was heard.
std::string active_peer(const vrrp::GroupStatus& group, TimePoint since) {
  std::string address;
  TimePoint latest = since;
  for (const vrrp::RouterStatus& router : group.routers) {
    if (!address.empty()) {
      break;
    }
    for (const vrrp::Peer& peer : router.peers) {
      if (peer.last && peer.last->priority != vrrp::kReleasing && peer.last_heard > latest) {
        latest = peer.last_heard;
        address = peer.source.to_string();
      }
    }
  }
  return address;
}

}  // namespace

void VrrpPart::move_away(const std::string& group, const std::function<void(const Moved&)>& done) {
  if (!speaker_) {
    return done({});
  }
  const TimePoint since = std::chrono::steady_clock::now();
  speaker_->move_away(group, [this, group, since, done](bool has_begun) {
    boost::asio::post(loop_, [this, group, since, done, has_begun] {
      if (!has_begun) {
        return done({});
      }
      watch_move(group, since, done);
    });
  });
}

void VrrpPart::watch_move(const std::string& group, TimePoint since,
                          const std::function<void(const Moved&)>& done) {
  fetch_status([this, group, since, done](const vrrp::SpeakerStatus& status) {
    const vrrp::GroupStatus* found = find(status, group);
    const auto taken = std::chrono::steady_clock::now() - since;
    if (found != nullptr && is_under_way(*found) && taken < kMovePatience) {
      auto timer = std::make_shared<boost::asio::steady_timer>(loop_, kMovePeriod);
      timer->async_wait([this, timer, group, since, done](const boost::system::error_code& error) {
        if (!error) {
          watch_move(group, since, done);
        }
      });
      return;
    }
    Moved moved{.was_active = true,
                .has_moved = found == nullptr ||
                             (found->state != vrrp::State::kActive && !is_under_way(*found)),
                .now_active = {},
                .time = std::chrono::duration_cast<milliseconds>(taken)};
    if (moved.has_moved && found != nullptr) {
      moved.now_active = active_peer(*found, since);
    }
    done(moved);
  });
}

void VrrpPart::release(const std::string& group) {
  if (speaker_) {
    speaker_->release(group);
  }
}

// ---------------------------------------------------------------- restart

void VrrpPart::prepare_restart(const OnPrepared& done) {
  if (!speaker_ || told_settings_.empty()) {
    return done(milliseconds{0});
  }
  if (on_group_prepared_) {
    return done(std::nullopt);
  }
  const auto waiting = std::make_shared<size_t>(told_settings_.size());
  const auto until = std::make_shared<TimePoint>(vrrp::kNever);
  on_group_prepared_ = [this, done, waiting, until](std::optional<TimePoint> prepared) {
    if (!prepared) {
      on_group_prepared_ = {};
      speaker_->cancel_restart();
      return done(std::nullopt);
    }
    *until = std::min(*until, *prepared);
    if (--*waiting != 0) {
      return;
    }
    timers_->restart.cancel();
    on_group_prepared_ = {};
    const auto left =
        std::chrono::duration_cast<milliseconds>(*until - std::chrono::steady_clock::now());
    done(*until == vrrp::kNever ? milliseconds{0} : left);
  };
  timers_->restart.expires_after(kPreparePatience);
  timers_->restart.async_wait([this](const boost::system::error_code& error) {
    if (!error && on_group_prepared_) {
      const auto fail = on_group_prepared_;
      fail(std::nullopt);
    }
  });
  speaker_->prepare_restart(kRestartTime);
}

void VrrpPart::abandon() {
  if (speaker_) {
    speaker_->abandon();
    speaker_->run([this] { book_.let_go(); });
  }
}

// ---------------------------------------------------------------- the end

void VrrpPart::give_away(const std::function<void()>& done) {
  if (!speaker_ || told_settings_.empty()) {
    return done();
  }
  if (const auto restart = on_group_prepared_) {
    restart(std::nullopt);  // the end goes before
  }
  struct Course {
    size_t waiting = 0;
    bool is_alone = false;
  };
  auto course = std::make_shared<Course>();
  course->waiting = told_settings_.size();
  for (const vrrp::GroupSettings& group : told_settings_) {
    move_away(group.name, [this, course, done, name = group.name](const Moved& moved) {
      if (moved.was_active) {
        spdlog::info("vrrp \"{}\": {}", name,
                     moved.has_moved ? fmt::format("moved to {} before the end", moved.now_active)
                                     : std::string("no other node has taken the addresses"));
      }
      course->is_alone = course->is_alone || (moved.was_active && !moved.has_moved);
      if (--course->waiting != 0) {
        return;
      }
      if (!course->is_alone) {
        return say_stop(done);
      }
      // Programs first: whoever starts ballastd again within the time that is left afterwards finds
      // everything as it was.
      fetch_status([this, done](const vrrp::SpeakerStatus& status) {
        tell_stop(status);
        when_told([this, done] { hold_on(done); });
      });
    });
  }
}

// No other node has the addresses: they stay here until their leases end.
void VrrpPart::hold_on(const std::function<void()>& done) {
  prepare_restart([this, done](std::optional<milliseconds> time) {
    if (time) {
      spdlog::info("vrrp: the addresses are held for {} ms more", time->count());
      abandon();
    }
    done();
  });
}

// The states of the end are told to notify programs.
void VrrpPart::say_stop(const std::function<void()>& done) {
  speaker_->stop("ballastd ends");
  // Behind the transitions.
  fetch_status([this, done](const vrrp::SpeakerStatus&) { when_told(done); });
}

// Of an end that changes no state: the leases go on.
void VrrpPart::tell_stop(const vrrp::SpeakerStatus& status) {
  for (const VrrpSettings& instance : configuration_.vrrp) {
    if (const vrrp::GroupStatus* group = find(status, group_of(instance))) {
      tell(instance, vrrp::State::kInitialize, group->priority, "ballastd ends");
    }
  }
}

// Once programs know all that there was to be told, or have taken too long for it.
void VrrpPart::when_told(const std::function<void()>& done) {
  const auto once = std::make_shared<std::function<void()>>(done);
  const auto finish = [once] {
    if (const auto call = std::exchange(*once, {})) {
      call();
    }
  };
  timers_->stop.expires_after(kStopPatience);
  timers_->stop.async_wait([finish](const boost::system::error_code& error) {
    if (!error) {
      finish();
    }
  });
  notifier_.when_told([finish] { finish(); });
}

}  // namespace ballast::control
