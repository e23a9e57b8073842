// VRRP in the words that people read: states, priorities, short times, and what asks for attention.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/api/control.pb.h"
#include "control/ctl/table.h"

namespace ballast::control {

std::string state_word(api::VrrpState state);  // "ACTIVE"
Cell state_cell(api::VrrpState state);

// "150"; "90 of 150" when tracking has lowered it, "150+30" when it has raised it.
std::string priority_text(uint32_t in_force, uint32_t configured);

std::string lapse(uint64_t microseconds);  // "0.85 ms", "120 ms", "1.5 s", "3m12s"
std::string lapse_of_milliseconds(uint64_t milliseconds);
std::string interval_text(uint64_t milliseconds);  // "100 ms", "1 s"

std::string family_word(uint32_t family);  // "IPv4"

// Why an instance that was moved away by hand does not come back by itself, and what to do.
std::string held_back_text(const std::string& group, const std::string& instance);

// One thing about an instance that somebody should know.
struct VrrpRemark {
  std::string instance;
  std::string kind;  // "FAULT"; may be empty
  Colour colour = Colour::kNone;
  std::string text;
};

// Faults first.
std::vector<VrrpRemark> remarks_on(const api::VrrpInstance& instance);

}  // namespace ballast::control
