// What the figures were measured on.
#pragma once

#include <string>
#include <vector>

namespace ballast::bench {

struct Cache {
  unsigned level = 0;
  std::string type;       // "Data", "Unified"
  std::string size;       // "2048K"
  std::string shared_by;  // the cores, "0-1"
};

struct Machine {
  std::string cpu;
  unsigned cores = 0;
  double tsc_ghz = 0;
  std::vector<Cache> caches;  // of the measured core
  std::string kernel;
  std::string hugepages;  // in words
  std::string date;       // UTC
  std::string commit;     // of the sources, "-dirty" with changes; empty where git does not say

  [[nodiscard]] std::string to_json() const;
  [[nodiscard]] std::string to_string() const;
};

// `core`: where the worker runs. EAL runs already.
Machine describe_machine(unsigned core, const std::string& hugepages);

}  // namespace ballast::bench
