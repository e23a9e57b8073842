#include "control/daemon/vrrp_part.h"

#include <algorithm>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "control/daemon/vrrp_timers.h"

namespace ballast::control {
namespace {

// An operator who wonders why a script may not do what it does on a shell.
void log_program_user(const Configuration& configuration, const ProgramUser& user) {
  const auto has_program = [](const VrrpSettings& instance) {
    return !instance.notify.empty() ||
           std::ranges::any_of(instance.tracks, [](const VrrpTrack& track) {
             return track.kind == VrrpTrack::Kind::kScript;
           });
  };
  if (std::ranges::any_of(configuration.vrrp, has_program)) {
    spdlog::info("vrrp: {}", describe(user));
  }
}

}  // namespace

VrrpPart::VrrpPart(boost::asio::io_context& loop, const Configuration& configuration,
                   const DataplaneLink& link, const KernelPart& kernel, const ServersPart& servers,
                   const ProgramUser& user)
    : loop_(loop),
      configuration_(configuration),
      link_(link),
      kernel_(kernel),
      servers_(servers),
      timers_(std::make_unique<Timers>(loop)),
      notifier_(loop, user,
                [](bool is_warning, const std::string& line) {
                  spdlog::log(is_warning ? spdlog::level::warn : spdlog::level::info, "{}", line);
                }),
      scripts_(
          loop, user,
          [this](const std::string& group, const std::string& name, bool is_good,
                 const std::string& text) { observed(group, name, is_good, text); },
          [](const std::string& line) { spdlog::warn("{}", line); }),
      files_(
          loop,
          [this](const std::string& group, const std::string& name, bool is_good,
                 const std::string& text) { observed(group, name, is_good, text); },
          [](const std::string& line) { spdlog::warn("{}", line); }) {
  slots_.set(configuration_.vrrp);
  log_program_user(configuration_, user);
}

VrrpPart::~VrrpPart() = default;

VipLeases VrrpPart::leases(const Configuration& configuration) const {
  LeaseSlots slots = slots_;
  slots.set(configuration.vrrp);
  return vip_leases(configuration.vrrp, slots);
}

// ---------------------------------------------------------------- the dataplane

void VrrpPart::adopt(const ballast::api::State& state) {
  slots_.adopt(configuration_.vrrp, state);
  for (const auto& [router, slot] : slots_.slots()) {
    adopted_routers_.insert(router);
  }
  slots_.set(configuration_.vrrp);
}

void VrrpPart::set_dataplane(const ballast::api::HelloAnswer& hello) {
  ports_.clear();
  port_order_.clear();
  for (const ballast::api::PortInfo& port : hello.ports()) {
    ports_[port.name()] = port;
    port_order_.push_back(port.name());
  }
  page_.reset();
  page_trouble_.clear();
  auto page = LeasePageMapping::open(hello.lease_page());
  if (page) {
    page_ = std::make_shared<const LeasePageMapping>(std::move(*page));
  } else {
    page_trouble_ = page.error();
    spdlog::error("vrrp: {}", page_trouble_);
  }
  if (!std::exchange(has_seen_dataplane_, true)) {
    if (page_) {
      LeaseBook::end_all_but(page_->page(), slots_);
    }
    for (const std::string& name : groups_with_leases()) {
      // The dataplane has gone on as it was told, and health is adopted.
      groups_[name].is_adopted = true;
      groups_[name].checks_have_run = true;
    }
  }
  start_speaker();
  if (speaker_) {
    speaker_->run([this, page = page_, workers = size_t{hello.workers()}] {
      book_.set_dataplane({page, workers});
    });
  }
  world_changed();
}

// Those whose every router is answered for at present.
std::set<std::string> VrrpPart::groups_with_leases() const {
  std::set<std::string> names;
  const vrrp::TimePoint now = std::chrono::steady_clock::now();
  for (const VrrpGroup& group : groups_of(configuration_.vrrp)) {
    bool is_held = page_ != nullptr;
    for (const VrrpSettings* member : group.members) {
      for (const RouterName& router : routers_of(*member)) {
        const auto slot = slots_.slot_of(router);
        is_held = is_held && slot && adopted_routers_.contains(router) &&
                  LeaseBook::is_held(page_->page(), *slot, now);
      }
    }
    if (is_held) {
      names.insert(group.name);
    }
  }
  return names;
}

void VrrpPart::dataplane_lost() {
  page_.reset();
  runs_on_configuration_ = false;
  for (auto& [name, group] : groups_) {
    group.checks_have_run = false;
    group.is_adopted = false;
  }
  if (speaker_) {
    speaker_->run([this] { book_.set_dataplane({}); });
  }
  world_changed();
}

void VrrpPart::port_changed(const ballast::api::PortInfo& port) {
  ports_[port.name()] = port;
  world_changed();
}

void VrrpPart::configuration_changed(ProgramUser user) {
  slots_.set(configuration_.vrrp);
  log_program_user(configuration_, user);
  notifier_.set_user(user);
  scripts_.set_user(std::move(user));
  start_speaker();
  world_changed();
}

void VrrpPart::world_changed() {
  if (std::exchange(timers_->update_is_due, true)) {
    return;
  }
  boost::asio::post(loop_, [this] {
    timers_->update_is_due = false;
    update();
  });
}

// ---------------------------------------------------------------- the speaker

void VrrpPart::start_speaker() {
  if (speaker_ || configuration_.vrrp.empty()) {
    return;
  }
  speaker_ = std::make_unique<vrrp::Speaker>(book_, callbacks());
  speaker_->run(
      [this, page = page_, workers = link_.hello() ? size_t{link_.hello()->workers()} : 0] {
        book_.set_dataplane({page, workers});
      });
}

// On the VRRP thread: messages only.
vrrp::SpeakerCallbacks VrrpPart::callbacks() {
  vrrp::SpeakerCallbacks callbacks;
  callbacks.announce = [this](const vrrp::RouterKey& router) {
    book_.announce(router, std::chrono::steady_clock::now());
  };
  callbacks.transition = [this](const std::string& group, const vrrp::RouterKey& router,
                                const vrrp::Transition& transition) {
    boost::asio::post(
        loop_, [this, group, router, transition] { on_transition(group, router, transition); });
  };
  callbacks.report = [this](const std::string& group, const vrrp::Report& report) {
    boost::asio::post(loop_, [group, report] {
      spdlog::log(report.is_warning ? spdlog::level::warn : spdlog::level::info, "vrrp{}: {}",
                  group.empty() ? "" : fmt::format(" \"{}\"", group), report.text);
    });
  };
  callbacks.restart_prepared = [this](const std::string&, vrrp::TimePoint until) {
    boost::asio::post(loop_, [this, until] {
      if (const auto prepared = on_group_prepared_) {
        prepared(until);
      }
    });
  };
  return callbacks;
}

void VrrpPart::update() {
  if (!speaker_ || !has_seen_dataplane_ || !kernel_.complete()) {
    return;
  }
  update_places();
  const std::vector<vrrp::InterfaceFacts> facts = interface_facts(configuration_, kernel_.state());
  if (facts != told_interfaces_) {
    told_interfaces_ = facts;
    speaker_->set_interfaces(facts);
  }
  update_groups();
  update_trackers();
  update_conditions();
}

// Before the groups: a lease that nobody knows the place of is not held.
void VrrpPart::update_places() {
  LeaseBook::Places places;
  for (const VrrpSettings& instance : configuration_.vrrp) {
    const netlink::Link* link = kernel_.state().link_named(instance.interface);
    for (const RouterName& router : routers_of(instance)) {
      const auto slot = slots_.slot_of(router);
      if (link == nullptr || !slot) {
        continue;
      }
      const auto port = std::ranges::find(port_order_, instance.interface);
      places[key_of(router, link->index)] = {
          .slot = *slot,
          .port = static_cast<size_t>(port - port_order_.begin()),
          .port_name = instance.interface,
          .advert_interval = instance.advert_interval};
    }
  }
  if (places != told_places_) {
    told_places_ = places;
    speaker_->run([this, places = std::move(places)] { book_.set_places(places); });
  }
}

void VrrpPart::update_groups() {
  std::vector<vrrp::GroupSettings> wanted;
  std::vector<vrrp::SpeakerGroup> groups;
  std::map<std::string, Group> known = std::move(groups_);
  const std::set<std::string> held = groups_with_leases();
  groups_.clear();
  for (const VrrpGroup& group : groups_of(configuration_.vrrp)) {
    const bool is_new = !known.contains(group.name);
    Group& mine = groups_[group.name] = std::move(known[group.name]);
    if (!mine.tracking) {
      mine.tracking = std::make_unique<vrrp::Tracking>();
    }
    mine.tracking->set_things(track_settings(group));
    if (mine.is_told) {
      trust_until_observed(*mine.tracking, "not looked at since it was configured");
    }
    const auto settings = group_settings(group, kernel_.state());
    if (!settings) {
      if (mine.is_told || is_new) {
        spdlog::error("vrrp \"{}\": {}", group.name, interface_fault(group));
      }
      mine.is_told = false;
      continue;
    }
    const bool goes_on = !mine.is_told && mine.is_adopted && held.contains(group.name);
    if (!mine.is_told) {
      mine.checks_have_run = mine.checks_have_run && (goes_on || !mine.is_adopted);
      mine.is_adopted = goes_on;
      mine.condition = condition_of(group, mine);
    }
    for (const VrrpSettings* member : group.members) {
      const netlink::Link* link = kernel_.state().link_named(member->interface);
      for (const RouterName& router : routers_of(*member)) {
        instances_[key_of(router, link->index)] = *member;
      }
    }
    wanted.push_back(*settings);
    groups.push_back({*settings, mine.condition, goes_on});
    mine.is_told = true;
  }
  if (wanted != told_settings_) {
    told_settings_ = std::move(wanted);
    speaker_->set_groups(std::move(groups));
  }
}

void VrrpPart::update_trackers() {
  std::vector<ScriptSettings> scripts;
  std::vector<FileSettings> files;
  std::set<std::pair<std::string, std::string>> seen;
  for (const VrrpSettings& instance : configuration_.vrrp) {
    for (const VrrpTrack& track : instance.tracks) {
      const std::string group = group_of(instance);
      if (!seen.emplace(group, track.name()).second) {
        continue;
      }
      if (track.kind == VrrpTrack::Kind::kScript) {
        scripts.push_back({group, track.name(), track.command, track.interval, track.timeout});
      } else if (track.kind == VrrpTrack::Kind::kFile) {
        files.push_back({group, track.name(), track.subject, track.up_if});
      }
    }
  }
  if (scripts != told_scripts_) {
    scripts_.set(scripts);
    told_scripts_ = std::move(scripts);
  }
  if (files != told_files_) {
    files_.set(files);
    told_files_ = std::move(files);
  }
}

// ---------------------------------------------------------------- what the speaker says

// Active only if both families are.
vrrp::State VrrpPart::state_of(const VrrpSettings& instance, vrrp::InterfaceIndex interface) const {
  vrrp::State least = vrrp::State::kActive;
  for (const RouterName& router : routers_of(instance)) {
    const auto known = router_states_.find(key_of(router, static_cast<int>(index(interface))));
    least =
        std::min(least, known == router_states_.end() ? vrrp::State::kInitialize : known->second);
  }
  return least;
}

void VrrpPart::on_transition(const std::string& group, const vrrp::RouterKey& router,
                             const vrrp::Transition& transition) {
  const auto level =
      transition.to == vrrp::State::kFault ? spdlog::level::warn : spdlog::level::info;
  spdlog::log(level, "vrrp \"{}\" ({}/IPv{}): {} -> {}, priority {}: {}", group, index(router.id),
              index(router.family), to_string(transition.from), to_string(transition.to),
              index(transition.priority), transition.reason);
  router_states_[router] = transition.to;
  if (const auto known = instances_.find(router); known != instances_.end()) {
    const VrrpSettings& instance = known->second;
    tell(instance, state_of(instance, router.interface), transition.priority, transition.reason);
  }
}

void VrrpPart::tell(const VrrpSettings& instance, vrrp::State state, vrrp::Priority priority,
                    const std::string& reason) {
  vrrp::State& told = told_states_[instance.name];
  if (state == told) {
    return;
  }
  notifier_.notify(instance.notify, {.of = Notification::Of::kInstance,
                                     .name = instance.name,
                                     .from = std::exchange(told, state),
                                     .to = state,
                                     .priority = priority,
                                     .reason = reason,
                                     .at = std::chrono::system_clock::now()});
}

}  // namespace ballast::control
