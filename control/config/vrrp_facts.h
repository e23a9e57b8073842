// [[vrrp]] as facts (facts.h).
#pragma once

#include <vector>

#include "control/config/facts.h"

namespace ballast::control {

void add_vrrp_facts(const VrrpSettings& instance, std::vector<Fact>& facts);

}  // namespace ballast::control
