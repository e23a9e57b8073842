// `ballastctl service list` and `service show`, in the layout of ipvsadm -Ln, --stats and --rate.
#pragma once

#include <string>

#include "control/api/control.pb.h"
#include "control/ctl/style.h"

namespace ballast::control {

std::string render_services(const api::ListServicesAnswer& answer, Style style);
// All about each service, counters included.
std::string render_service_details(const api::ListServicesAnswer& answer, Style style);

std::string render_counters(const api::ListServicesAnswer& answer, Style style);

// What has happened between two answers, by the second. Servers that are not in both, or whose
// counters have begun anew, are left out.
api::RateReport rates(const api::ListServicesAnswer& before, const api::ListServicesAnswer& after);
std::string render_rates(const api::RateReport& report, Style style);

}  // namespace ballast::control
