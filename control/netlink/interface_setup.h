// Keeps what the configuration asks for, and what operators had put there by hand, on the
// dataplane's kernel twins.
//
// Theory of operation. A twin may appear at any time, lose its routes and IPv6 addresses, vanish
// and come back with another index: whenever the mirror reports a change, interface_plan.h says
// what is missing, and it is asked of the kernel. What the kernel refuses is a problem, told once
// as a sentence and tried again while it lasts: with every report of the mirror, and by a timer
// whose pauses grow to half a minute (retry_backoff.h).
//
// What an operator had put there may have become impossible (the address that its gateway was
// reached by is gone). It is tried for two minutes; then the operator is told, and the twin is
// followed again without it. How often the kernel had news meanwhile does not matter.
//
// A link is brought up when settings for it are given, when it (re)appears, and when its carrier
// returns (a dataplane has attached to it); an operator who takes it down in between is obeyed.
//
// IPv6 addresses are added without duplicate address detection (IFA_F_NODAD): a twin's addresses
// belong to this node by configuration; with detection they could not be used for a second or more
// after each restart of the dataplane, just when health checks and BGP have to come back, and the
// probes would meet the dataplane's own answers on their way.
//
// What ballastd put there is told from what others did by a mark that the kernel keeps
// (kBallastProtocol), so that a restarted ballastd knows it too. For addresses that takes
// Linux 5.18 (IFA_PROTO); on older ones, addresses that are not asked for any more stay until
// somebody removes them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "control/netlink/interface_plan.h"
#include "control/netlink/mirror.h"
#include "control/netlink/retry_backoff.h"

namespace ballast::netlink {

class InterfaceSetup {
 public:
  // Called once for each new problem, with a sentence.
  using OnProblem = std::function<void(const std::string&)>;

  // `io` and `mirror` outlive it; all are used on one thread.
  static tl::expected<std::unique_ptr<InterfaceSetup>, std::string> open(
      boost::asio::io_context& io, const Mirror& mirror, OnProblem on_problem,
      const RetryLimits& limits = {});
  ~InterfaceSetup();
  InterfaceSetup(const InterfaceSetup&) = delete;
  InterfaceSetup& operator=(const InterfaceSetup&) = delete;

  // The twins, all of them, also those for which nothing is configured: what is put on them by hand
  // is restored too. What earlier settings asked for and these do not is removed. Works from the
  // mirror's first complete state on.
  void set(const std::vector<InterfaceSettings>& settings);

  // To be called with every report of the mirror.
  void on_change(const KernelChanges& changes);

  // Those that last.
  [[nodiscard]] const std::vector<std::string>& problems() const;

 private:
  class Impl;
  explicit InterfaceSetup(std::shared_ptr<Impl> impl);

  std::shared_ptr<Impl> impl_;  // shared with the timer's handler
};

}  // namespace ballast::netlink
