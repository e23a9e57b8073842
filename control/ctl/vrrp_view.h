// `ballastctl vrrp`: who is active, and why.
#pragma once

#include <string>

#include "control/api/control.pb.h"
#include "control/ctl/style.h"

namespace ballast::control {

// A line each, and below them what somebody should know or do.
std::string render_vrrp(const api::ListVrrpAnswer& answer, Style style);
// All about each instance: tracking, adverts, peers, faults.
std::string render_vrrp_details(const api::ListVrrpAnswer& answer, Style style);

// "front: moved to 10.0.0.2 in 12 ms", or that nobody has taken over; for that, `after` is what is
// known of the instances since, if anything.
std::string render_failover(const api::MoveVrrpAnswer& answer, const api::ListVrrpAnswer* after,
                            const std::string& name);
std::string render_release(const api::MoveVrrpAnswer& answer);

// Names of the instances and groups, a line each, for completion.
std::string render_vrrp_names(const api::ListVrrpAnswer& answer);

}  // namespace ballast::control
