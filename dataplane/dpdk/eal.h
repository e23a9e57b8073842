// DPDK's environment: started once, from our settings, and cleaned up at the end.
#pragma once

#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "dataplane/dpdk/settings.h"

namespace ballast {

class Eal {
 public:
  // `vdevs` are --vdev arguments. An error is what EAL said, with what to do about it where that is
  // known.
  static tl::expected<Eal, std::string> start(const DataplaneSettings& settings,
                                              const std::vector<std::string>& vdevs,
                                              const std::vector<std::string>& pci_addresses);

  Eal(Eal&& other) noexcept : alive_(other.alive_) { other.alive_ = false; }
  Eal& operator=(Eal&&) = delete;
  ~Eal();

  // The lcores of the workers, in their order. The main lcore is 0.
  static std::vector<unsigned> worker_lcores(uint16_t workers);

  // In words, for the log: "hugepages", "no hugepages".
  [[nodiscard]] static std::string memory_in_words(const DataplaneSettings& settings);

 private:
  explicit Eal(bool alive) : alive_(alive) {}
  bool alive_;
};

// The arguments that Eal::start() gives to rte_eal_init.
std::vector<std::string> eal_arguments(const DataplaneSettings& settings,
                                       const std::vector<std::string>& vdevs,
                                       const std::vector<std::string>& pci_addresses);

}  // namespace ballast
