// `ballastctl vrrp` and `ballastctl restart`.
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "control/daemon/daemon.h"

namespace ballast::control {
namespace {

std::vector<std::string> names_of(const std::vector<VrrpSettings>& instances) {
  std::vector<std::string> names;
  names.reserve(instances.size());
  for (const VrrpSettings& instance : instances) {
    names.push_back(instance.name);
  }
  return names;
}

api::Failure no_such_instance(const Configuration& configuration, const std::string& name) {
  if (configuration.vrrp.empty()) {
    return failure(api::Failure::NOT_FOUND,
                   "no [[vrrp]] is configured: this node always holds its VIPs");
  }
  return failure(api::Failure::NOT_FOUND,
                 fmt::format("no vrrp instance or group \"{}\": there is {}", name,
                             fmt::join(names_of(configuration.vrrp), ", ")));
}

}  // namespace

void Daemon::list_vrrp(const Peer&, const api::ListVrrpRequest& request,
                       Callback<api::ListVrrpAnswer> done) {
  if (!request.name().empty() && !vrrp_->find_group(request.name())) {
    return done(tl::unexpected(no_such_instance(configuration_, request.name())));
  }
  vrrp_->fetch_status([this, done, name = request.name()](const vrrp::SpeakerStatus& status) {
    api::ListVrrpAnswer answer;
    vrrp_->fill(status, name, answer);
    done(answer);
  });
}

void Daemon::move_vrrp(const Peer&, const api::MoveVrrpRequest& request,
                       Callback<api::MoveVrrpAnswer> done) {
  const auto group = vrrp_->find_group(request.name());
  if (!group) {
    return done(tl::unexpected(no_such_instance(configuration_, request.name())));
  }
  api::MoveVrrpAnswer answer;
  for (const VrrpSettings* member : group->members) {
    answer.add_instances(member->name);
  }
  if (request.what() == api::MoveVrrpRequest::RELEASE) {
    vrrp_->release(group->name);
    return done(answer);
  }
  vrrp_->move_away(group->name, [done, answer, name = group->name](const VrrpPart::Moved& moved) {
    if (!moved.was_active) {
      return done(tl::unexpected(
          failure(api::Failure::INVALID,
                  fmt::format("\"{}\" is not active on this node: nothing has changed", name))));
    }
    api::MoveVrrpAnswer result = answer;
    if (moved.has_moved) {
      result.set_now_active(moved.now_active);
    }
    result.set_milliseconds(static_cast<uint64_t>(moved.time.count()));
    done(result);
  });
}

// What is installed now has to be able to start: the configuration is read as it will read it.
void Daemon::restart(const Peer&, const api::RestartRequest&, Callback<api::RestartAnswer> done) {
  if (reload_under_way_ || is_ending_) {
    return done(tl::unexpected(failure(
        api::Failure::BUSY, is_ending_ ? "ballastd is about to end" : "a reload is under way")));
  }
  if (const auto loaded = load_configuration(file_, capabilities()); !loaded) {
    api::Failure refusal = failure(api::Failure::REFUSED,
                                   "ballastd would not start again on this configuration: it goes "
                                   "on with the one that is loaded");
    for (const std::string& error : loaded.error()) {
      refusal.add_details(error);
    }
    return done(tl::unexpected(refusal));
  }
  vrrp_->prepare_restart([this, done](std::optional<std::chrono::milliseconds> time) {
    if (!time) {
      return done(tl::unexpected(failure(api::Failure::TIMED_OUT,
                                         "a move or a restart is under way, or the other nodes "
                                         "could not be told: nothing has changed; "
                                         "try again")));
    }
    api::RestartAnswer answer;
    answer.set_milliseconds(static_cast<uint64_t>(std::max<int64_t>(0, time->count())));
    done(answer);
    vrrp_->abandon();
    spdlog::info("restarting in place; the addresses are held for {} ms", time->count());
    // Once the answer is on its way.
    boost::asio::post(loop_, [this] { boost::asio::post(loop_, on_restart_); });
  });
}

}  // namespace ballast::control
