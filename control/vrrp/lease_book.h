// The dataplane's lease page as the VRRP thread uses it: writes leases, asks for announcements, and
// knows from the signs of life in it whether the dataplane obeys.
//
// Theory of operation
//   What the state machines want is remembered per router, and goes to the page at once when it
//   takes something back. What gives, or goes on giving, is written only while every worker has
//   shown a sign of life within a quarter of the advert interval: a dataplane that hangs, or is
//   stopped, holds its addresses no longer than it would have without hanging, and does not find a
//   fresh lease when it wakes up after another router has risen. The next pulse makes up for it, so
//   that a worker that merely waited for a core misses nothing.
//
//   A dataplane that stays away is a fault: a worker for as long as the shortest lease lasts (at
//   least kLeastWorkerPatience, at most kWorkerPatience), its main thread for kMainPatience, a port
//   that takes no frame of its twin although adverts go there for kTransmitPatience or five
//   intervals. The last kind cannot be seen to be gone, so it is believed to be gone after
//   kTransmitRetry.
//
// All functions are for the VRRP thread, but for the static ones.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "control/vrrp/lease_slots.h"
#include "dataplane/api/lease_page.h"
#include "vrrp/speaker.h"

namespace ballast::control {

class LeaseBook : public vrrp::LeaseHolder {
 public:
  static constexpr vrrp::Duration kWorkerPatience = std::chrono::milliseconds{500};
  static constexpr vrrp::Duration kLeastWorkerPatience = std::chrono::milliseconds{50};
  static constexpr vrrp::Duration kMainPatience = std::chrono::seconds{5};
  static constexpr vrrp::Duration kTransmitPatience = std::chrono::milliseconds{500};
  static constexpr vrrp::Duration kTransmitRetry = std::chrono::seconds{10};
  // Below this a worker's age says more about the machine than about the worker.
  static constexpr vrrp::Duration kFreshAtLeast = std::chrono::milliseconds{2};

  // Where a router's lease stands, and which way its adverts leave.
  struct Place {
    size_t slot = 0;
    size_t port = 0;  // in the order of the dataplane's ports
    std::string port_name;
    vrrp::Duration advert_interval{0};

    friend bool operator==(const Place&, const Place&) = default;
  };
  using Places = std::map<vrrp::RouterKey, Place>;

  struct Dataplane {
    std::shared_ptr<const LeasePageMapping> page;  // null: there is none
    size_t workers = 0;
  };

  // Another dataplane, or none: the former page holds nothing any more, and what is held is told to
  // the new one.
  void set_dataplane(Dataplane dataplane);
  // Writes nothing from here on: what stands in the page is somebody else's.
  void let_go();
  // Routers that are gone hold nothing any more.
  void set_places(Places places);

  void set_lease(vrrp::TimePoint now, const vrrp::RouterKey& router, vrrp::LeaseMode mode,
                 vrrp::TimePoint until) override;
  std::string fault(vrrp::TimePoint now) override;
  // One round for all addresses of the router, now.
  void announce(const vrrp::RouterKey& router, vrrp::TimePoint now);

  // Whether the slot's lease, of whoever wrote it, lasts beyond `now`.
  static bool is_held(const LeasePage& page, size_t slot, vrrp::TimePoint now);
  // Ends the leases that an earlier ballastd left to routers that are not there any more.
  static void end_all_but(LeasePage& page, const LeaseSlots& slots);

 private:
  struct Wish {
    vrrp::LeaseMode mode = vrrp::LeaseMode::kNone;
    vrrp::TimePoint until;
    bool is_written = true;
  };
  struct Transmission {
    uint64_t frames = 0;
    vrrp::TimePoint since;         // the last frame that the port took, or when adverts began
    vrrp::TimePoint last_renewal;  // of any lease whose adverts leave here
    vrrp::TimePoint stuck_until;
  };

  void write(const Place& place, const Wish& wish) const;
  void write_what_waits(vrrp::TimePoint now);
  void note_advert(const Place& place, vrrp::TimePoint now);
  [[nodiscard]] vrrp::Duration age_of_workers(vrrp::TimePoint now) const;
  [[nodiscard]] std::string silent_thread(vrrp::TimePoint now) const;
  [[nodiscard]] std::string silent_port(vrrp::TimePoint now) const;

  Dataplane dataplane_;
  Places places_;
  std::map<vrrp::RouterKey, Wish> wishes_;
  std::map<size_t, Transmission> transmissions_;  // by port
};

}  // namespace ballast::control
