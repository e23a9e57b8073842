// Every call is a message to the VRRP thread.
#include "vrrp/speaker.h"

#include <utility>

#include "vrrp/speaker_core.h"

namespace ballast::vrrp {

Speaker::Speaker(LeaseHolder& lease_holder, SpeakerCallbacks callbacks)
    : core_(std::make_unique<Core>(lease_holder, std::move(callbacks))) {}

Speaker::~Speaker() = default;

void Speaker::set_interfaces(std::vector<InterfaceFacts> interfaces) {
  core_->post([core = core_.get(), interfaces = std::move(interfaces)] {
    core->set_interfaces(interfaces);
  });
}

void Speaker::set_groups(std::vector<SpeakerGroup> groups) {
  core_->post([core = core_.get(), groups = std::move(groups)]() mutable {
    core->set_groups(std::move(groups));
  });
}

void Speaker::set_condition(std::string group, Condition condition) {
  core_->post([core = core_.get(), group = std::move(group), condition = std::move(condition)] {
    core->set_condition(group, condition);
  });
}

void Speaker::run(std::function<void()> work) {
  core_->post([work = std::move(work)] { work(); });
}

void Speaker::move_away(std::string group, std::function<void(bool)> done) {
  core_->post([core = core_.get(), group = std::move(group), done = std::move(done)] {
    bool has_moved = false;
    core->one(group, [&has_moved](RouterGroup& running, TimePoint now, Actions& actions) {
      has_moved = running.move_away(now, actions);
    });
    done(has_moved);
  });
}

void Speaker::release(std::string group) {
  core_->post([core = core_.get(), group = std::move(group)] {
    core->one(group, [](RouterGroup& running, TimePoint now, Actions& actions) {
      running.release(now, actions);
    });
  });
}

void Speaker::prepare_restart(Duration expected) {
  core_->post([core = core_.get(), expected] {
    core->each([expected](RouterGroup& group, TimePoint now, Actions& actions) {
      group.prepare_restart(now, expected, actions);
    });
  });
}

void Speaker::cancel_restart() {
  core_->post([core = core_.get()] {
    core->each([](RouterGroup& group, TimePoint now, Actions& actions) {
      group.cancel_restart(now, actions);
    });
  });
}

void Speaker::abandon() {
  core_->post([core = core_.get()] { core->abandon(); });
}

void Speaker::stop(std::string reason) {
  core_->post([core = core_.get(), reason = std::move(reason)] { core->stop(reason); });
}

void Speaker::request_status(std::function<void(SpeakerStatus)> done) {
  core_->post([core = core_.get(), done = std::move(done)] { done(core->status()); });
}

}  // namespace ballast::vrrp
