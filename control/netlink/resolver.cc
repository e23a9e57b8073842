#include "control/netlink/resolver.h"

#include <cerrno>
#include <chrono>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

#include "control/netlink/kernel_requests.h"
#include "control/netlink/neighbor_schedule.h"

namespace ballast::netlink {

namespace {

const KernelNeighbor* neighbor_in(const KernelState& state, const NeighborKey& key) {
  const auto found = state.neighbors.find(key);
  return found == state.neighbors.end() ? nullptr : &found->second;
}

std::string why_refused(const KernelRefusal& refusal) {
  if (refusal.error != ENOBUFS) {
    return refusal.text;
  }
  return fmt::format(
      "the kernel cannot ask for it: {}: its neighbour table is full, most likely: raise "
      "net.ipv4.neigh.default.gc_thresh3 and net.ipv6.neigh.default.gc_thresh3",
      refusal.text);
}

bool can_be_neighbor(const IpAddress& address) {
  return !address.is_unspecified() && !address.is_multicast() && !address.is_broadcast() &&
         !address.is_loopback();
}

}  // namespace

class Resolver::Impl : public std::enable_shared_from_this<Resolver::Impl> {
 public:
  Impl(boost::asio::io_context& io, const Mirror& mirror, KernelRequests requests,
       OnProblem on_problem, const FreshnessIntervals& intervals)
      : mirror_(mirror),
        requests_(std::move(requests)),
        on_problem_(std::move(on_problem)),
        timer_(io),
        schedule_(intervals) {}

  tl::expected<bool, std::string> ask(const NextHop& neighbor);
  void keep_fresh(const std::set<NextHop>& neighbors) {
    schedule_.keep(neighbors, std::chrono::steady_clock::now());
    wait();
  }
  [[nodiscard]] const std::string& trouble() const { return trouble_; }
  void stop() {
    stopped_ = true;
    timer_.cancel();
  }

 private:
  void wait();
  void look_at_due();
  void note(const std::string& problem, int error);

  const Mirror& mirror_;
  KernelRequests requests_;
  OnProblem on_problem_;
  std::string trouble_;
  int error_ = 0;  // errno of the trouble
  boost::asio::steady_timer timer_;
  AskLimit limit_;
  FreshnessSchedule schedule_;
  bool stopped_ = false;
};

tl::expected<bool, std::string> Resolver::Impl::ask(const NextHop& neighbor) {
  const auto refuse = [&neighbor](std::string_view why) {
    return tl::unexpected(
        fmt::format("neighbor {} on \"{}\": {}", neighbor.address.to_string(), neighbor.link, why));
  };
  if (!can_be_neighbor(neighbor.address)) {
    return refuse("not an address that a neighbor can have");
  }
  const auto* link = mirror_.state().link_named(neighbor.link);
  if (link == nullptr) {
    return refuse("there is no such interface");
  }
  const NeighborKey key{link->index, neighbor.address};
  if (!link->up || !needs_asking(neighbor_in(mirror_.state(), key)) ||
      !limit_.admit(neighbor, std::chrono::steady_clock::now())) {
    return false;
  }
  if (const auto asked = requests_.use_neighbor(key); !asked) {
    const auto refused = refuse(why_refused(asked.error()));
    note(refused.value(), asked.error().error);
    return refused;
  }
  trouble_.clear();
  error_ = 0;
  return true;
}

// With many neighbours one cause gives many sentences: the first of each cause is told.
void Resolver::Impl::note(const std::string& problem, int error) {
  const bool is_new = error != error_;
  trouble_ = problem;
  error_ = error;
  if (is_new && on_problem_) {
    on_problem_(problem);
  }
}

void Resolver::Impl::wait() {
  const auto next = schedule_.next();
  if (!next) {
    timer_.cancel();
    return;
  }
  timer_.expires_at(*next);
  timer_.async_wait([self = shared_from_this()](boost::system::error_code error) {
    if (!error && !self->stopped_) {
      self->look_at_due();
    }
  });
}

void Resolver::Impl::look_at_due() {
  const auto now = std::chrono::steady_clock::now();
  for (const auto& neighbor : schedule_.take_due(now)) {
    const auto* link = mirror_.state().link_named(neighbor.link);
    const auto* seen =
        link == nullptr ? nullptr : neighbor_in(mirror_.state(), {link->index, neighbor.address});
    // A refusal is told there; the neighbour's next turn comes.
    (void)ask(neighbor);
    schedule_.look_again(neighbor, seen != nullptr && seen->state == NeighborState::kKnown, now);
  }
  wait();
}

tl::expected<std::unique_ptr<Resolver>, std::string> Resolver::open(
    boost::asio::io_context& io, const Mirror& mirror, OnProblem on_problem,
    const FreshnessIntervals& intervals) {
  auto requests = KernelRequests::open();
  if (!requests) {
    return tl::unexpected(requests.error());
  }
  auto impl =
      std::make_shared<Impl>(io, mirror, std::move(*requests), std::move(on_problem), intervals);
  return std::unique_ptr<Resolver>(new Resolver(std::move(impl)));
}

Resolver::Resolver(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Resolver::~Resolver() {
  impl_->stop();
}

tl::expected<bool, std::string> Resolver::ask(const NextHop& neighbor) {
  return impl_->ask(neighbor);
}
const std::string& Resolver::trouble() const {
  return impl_->trouble();
}
void Resolver::keep_fresh(const std::set<NextHop>& neighbors) {
  impl_->keep_fresh(neighbors);
}

}  // namespace ballast::netlink
