// What the state machine wants done. Actions are carried out in the order in which they are given:
// a lease is renewed before the advert that tells the network, and ends before anything else is
// said.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "vrrp/advert_codec.h"

namespace ballast::vrrp {

enum class State : uint8_t { kInitialize, kFault, kBackup, kActive };

std::string_view to_string(State state);  // "INITIALIZE", "FAULT", "BACKUP", "ACTIVE"

enum class LeaseMode : uint8_t {
  kNone,     // the addresses are not this node's: nothing is answered, sent or forwarded for them
  kForward,  // frames to the virtual MAC are forwarded; ARP, ND and ping are not answered
  kFull,
};

std::string_view to_string(LeaseMode mode);  // "none", "forward", "full"

// The lease is to be this from now until then. kNone: it ends now.
struct SetLease {
  LeaseMode mode = LeaseMode::kNone;
  TimePoint until;
};

struct SendAdvert {
  Advert advert;
};

// One round for all addresses of the router, see announcement_schedule.h.
struct Announce {};

struct Transition {
  State from = State::kInitialize;
  State to = State::kInitialize;
  Priority priority{};  // in force
  std::string reason;   // in words
  TimePoint at;
};

// Worth a line in the log.
struct Report {
  bool is_warning = false;
  std::string text;
};

// What waits in the router's sockets was sent while nobody was running here: read it, and heed
// none.
struct DropBacklog {};

// Peers know of the longer interval: the process may end without a word (RouterGroup::abandon), and
// has until then to come back.
struct RestartPrepared {
  TimePoint until;
};

using ActionKind =
    std::variant<SetLease, SendAdvert, Announce, Transition, Report, DropBacklog, RestartPrepared>;

struct Action {
  template <typename Kind>
  Action(const RouterKey& of, Kind what)
      : router(of), kind(std::in_place_type<Kind>, std::move(what)) {}

  RouterKey router;
  ActionKind kind;
};

using Actions = std::vector<Action>;

}  // namespace ballast::vrrp
