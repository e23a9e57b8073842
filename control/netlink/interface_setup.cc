#include "control/netlink/interface_setup.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

#include "control/netlink/kernel_requests.h"

namespace ballast::netlink {

namespace {

// The kernel has it already, or has not what is to be removed: as it should be.
bool is_harmless(const InterfaceAction& action, int error) {
  const bool adds =
      std::holds_alternative<AddAddress>(action) || std::holds_alternative<AddRoute>(action);
  return adds ? error == EEXIST : error == ESRCH || error == EADDRNOTAVAIL || error == ENODEV;
}

}  // namespace

class InterfaceSetup::Impl : public std::enable_shared_from_this<InterfaceSetup::Impl> {
 public:
  Impl(boost::asio::io_context& io, const Mirror& mirror, KernelRequests requests,
       OnProblem on_problem, const RetryLimits& limits)
      : mirror_(mirror),
        requests_(std::move(requests)),
        retry_(io),
        on_problem_(std::move(on_problem)),
        limits_(limits) {}

  void set(const std::vector<InterfaceSettings>& settings);
  void on_change(const KernelChanges& changes);
  [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }
  void stop() {
    stopped_ = true;
    retry_.cancel();
  }

 private:
  struct Twin {
    explicit Twin(const RetryLimits& limits) : retry(limits) {}

    InterfaceSettings settings;
    int index = 0;         // of the link that was brought up; 0: has to be brought up
    bool carrier = false;  // when last seen
    RetryBackoff retry;    // of whatever is refused
  };

  void apply_all();
  void apply(Twin& twin, std::vector<std::string>& problems);
  void carry_out_all(Twin& twin, const InterfacePlan& plan, std::vector<std::string>& refused);
  KernelRequests::Result carry_out(const InterfaceAction& action);
  bool wants_up(Twin& twin);
  void tell(std::vector<std::string> problems);
  void wait();

  const Mirror& mirror_;
  KernelRequests requests_;
  boost::asio::steady_timer retry_;
  OnProblem on_problem_;
  RetryLimits limits_;
  InterfaceMemory memory_;
  std::map<std::string, Twin> twins_;
  std::vector<std::string> problems_;
  bool stopped_ = false;
};

void InterfaceSetup::Impl::set(const std::vector<InterfaceSettings>& settings) {
  std::set<std::string> names;
  for (const auto& wanted : settings) {
    names.insert(wanted.name);
    auto& twin = twins_.try_emplace(wanted.name, limits_).first->second;
    twin.settings = wanted;
    twin.index = 0;
  }
  // A link that is not a twin any more loses what was asked for it, once, and is then left alone.
  for (auto& [name, twin] : twins_) {
    if (!names.contains(name)) {
      twin.settings = {name, {}, {}};
    }
  }
  if (mirror_.complete()) {
    memory_.set_twins(names, mirror_.state());
    apply_all();
  }
  std::erase_if(twins_, [&names](const auto& entry) { return !names.contains(entry.first); });
}

void InterfaceSetup::Impl::on_change(const KernelChanges& changes) {
  if (!changes.everything && !changes.links && !changes.addresses && changes.routes.empty()) {
    return;
  }
  if (changes.everything) {
    std::set<std::string> names;
    for (const auto& [name, twin] : twins_) {
      names.insert(name);
    }
    memory_.set_twins(names, mirror_.state());
  }
  memory_.follow(mirror_.state(), changes);
  apply_all();
}

void InterfaceSetup::Impl::apply_all() {
  std::vector<std::string> problems;
  for (auto& [name, twin] : twins_) {
    apply(twin, problems);
  }
  tell(std::move(problems));
}

bool InterfaceSetup::Impl::wants_up(Twin& twin) {
  const auto* link = mirror_.state().link_named(twin.settings.name);
  if (link == nullptr) {
    twin.index = 0;
    twin.carrier = false;
    return false;
  }
  const bool attached = link->carrier && !twin.carrier;
  twin.carrier = link->carrier;
  if (link->admin_up) {
    twin.index = link->index;
  }
  return link->index != twin.index || attached;
}

void InterfaceSetup::Impl::carry_out_all(Twin& twin, const InterfacePlan& plan,
                                         std::vector<std::string>& refused) {
  for (const auto& action : plan.actions) {
    const auto done = carry_out(action);
    if (!done && !is_harmless(action, done.error().error)) {
      refused.push_back(fmt::format("interface \"{}\": {}: {}", twin.settings.name,
                                    subject_of(action), done.error().text));
    }
    if (const auto* up = std::get_if<SetLinkUp>(&action); up != nullptr && done) {
      twin.index = up->link;
    }
  }
}

void InterfaceSetup::Impl::apply(Twin& twin, std::vector<std::string>& problems) {
  const auto& name = twin.settings.name;
  const auto* known = memory_.of(name);
  const RememberedInterface memory = known == nullptr ? RememberedInterface{} : *known;
  const bool bring_up = known != nullptr && wants_up(twin);
  const auto plan =
      plan_interface(mirror_.state(), twin.settings, memory, memory_.our_routes(), bring_up);
  std::vector<std::string> refused;
  carry_out_all(twin, plan, refused);
  const auto now = std::chrono::steady_clock::now();
  if (refused.empty() && plan.problems.empty()) {
    twin.retry.succeeded();
  } else {
    twin.retry.failed(now);
  }
  const auto* link = mirror_.state().link_named(name);
  if (memory.lost && link != nullptr && link->admin_up) {
    const bool gives_up = !refused.empty() && twin.retry.exhausted(now);
    if (refused.empty() || gives_up) {
      memory_.restored(name, mirror_.state());
    }
    if (gives_up && on_problem_) {
      on_problem_(
          fmt::format("interface \"{}\": what was there by hand is not all restored, and "
                      "not tried any more: put it there again if it is wanted",
                      name));
    }
  }
  problems.insert(problems.end(), refused.begin(), refused.end());
  problems.insert(problems.end(), plan.problems.begin(), plan.problems.end());
}

KernelRequests::Result InterfaceSetup::Impl::carry_out(const InterfaceAction& action) {
  if (const auto* up = std::get_if<SetLinkUp>(&action)) {
    return requests_.set_link_up(up->link);
  }
  if (const auto* added_address = std::get_if<AddAddress>(&action)) {
    return requests_.add_address(added_address->key, added_address->value);
  }
  if (const auto* removed_address = std::get_if<RemoveAddress>(&action)) {
    return requests_.remove_address(removed_address->key, removed_address->value);
  }
  if (const auto* added_route = std::get_if<AddRoute>(&action)) {
    return requests_.add_route(added_route->key, added_route->route, added_route->replace);
  }
  const auto& removed_route = std::get<RemoveRoute>(action);
  return requests_.remove_route(removed_route.key, removed_route.route);
}

void InterfaceSetup::Impl::tell(std::vector<std::string> problems) {
  for (const auto& problem : problems) {
    if (on_problem_ && std::find(problems_.begin(), problems_.end(), problem) == problems_.end()) {
      on_problem_(problem);
    }
  }
  problems_ = std::move(problems);
  wait();
}

// For the first of the twins whose turn comes; each report of the mirror is a try as well.
void InterfaceSetup::Impl::wait() {
  std::optional<RetryBackoff::Time> first;
  for (const auto& [name, twin] : twins_) {
    if (const auto due = twin.retry.due(); due && (!first || *due < *first)) {
      first = due;
    }
  }
  if (!first) {
    retry_.cancel();
    return;
  }
  retry_.expires_at(*first);
  retry_.async_wait([self = shared_from_this()](boost::system::error_code error) {
    if (!error && !self->stopped_) {
      self->apply_all();
    }
  });
}

tl::expected<std::unique_ptr<InterfaceSetup>, std::string> InterfaceSetup::open(
    boost::asio::io_context& io, const Mirror& mirror, OnProblem on_problem,
    const RetryLimits& limits) {
  auto requests = KernelRequests::open();
  if (!requests) {
    return tl::unexpected(requests.error());
  }
  auto impl =
      std::make_shared<Impl>(io, mirror, std::move(*requests), std::move(on_problem), limits);
  return std::unique_ptr<InterfaceSetup>(new InterfaceSetup(std::move(impl)));
}

InterfaceSetup::InterfaceSetup(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
InterfaceSetup::~InterfaceSetup() {
  impl_->stop();
}

void InterfaceSetup::set(const std::vector<InterfaceSettings>& settings) {
  impl_->set(settings);
}
void InterfaceSetup::on_change(const KernelChanges& changes) {
  impl_->on_change(changes);
}
const std::vector<std::string>& InterfaceSetup::problems() const {
  return impl_->problems();
}

}  // namespace ballast::netlink
