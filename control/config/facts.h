// A configuration as a flat list of facts, which is what people compare and what diff.h subtracts.
//
//   service "web"                          mode       dr
//   service "web"                          scheduler  wrr
//   service "web": listen tcp/192.0.2.10:80
//   service "web": server 10.0.0.11        weight     1
//
// A subject that exists has a fact with an empty attribute. Two configurations that differ in more
// than the order of their parts differ in their facts.
#pragma once

#include <string>
#include <vector>

#include "control/config/configuration.h"

namespace ballast::control {

struct Fact {
  std::string subject;
  std::string attribute;  // empty: the subject exists
  std::string value;
  bool is_default = false;  // goes without saying when a subject is added or removed

  friend bool operator==(const Fact&, const Fact&) = default;
};

// In the order of the configuration; a subject's facts stand together, its existence first. Subject
// and attribute together are unique.
std::vector<Fact> facts_of(const Configuration& configuration);

// The facts as lines, for logs and tests: `service "web": scheduler wrr`.
std::string to_string(const Configuration& configuration);

}  // namespace ballast::control
