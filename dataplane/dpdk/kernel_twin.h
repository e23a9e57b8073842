// The kernel's side of a port: a persistent tap interface with the port's MAC, which carries the
// node's own addresses.
//
// What the packet path leaves to Linux is written to it; what Linux sends comes out of it and
// leaves through the port. The interface outlives the process, with its addresses and routes: a new
// dataplane finds it by its name. It has no carrier while no dataplane holds it or while the port's
// link is down.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include <tl/expected.hpp>

#include "dataplane/packet/address.h"

namespace ballast {

class KernelTwin {
 public:
  // Makes the interface or takes it over, sets MAC and MTU and brings it up. An error says which
  // step failed.
  static tl::expected<KernelTwin, std::string> attach(const std::string& name,
                                                      const MacAddress& mac, uint16_t mtu);

  KernelTwin(KernelTwin&& other) noexcept
      : name_(std::move(other.name_)), descriptor_(other.descriptor_) {
    other.descriptor_ = -1;
  }
  KernelTwin& operator=(KernelTwin&&) = delete;
  ~KernelTwin();

  // Any thread; never blocks. False when the kernel did not take the frame.
  [[nodiscard]] bool write(std::span<const uint8_t> frame) const;
  // A chained frame in one piece.
  [[nodiscard]] bool write(std::span<const std::span<const uint8_t>> pieces) const;
  // One frame from the kernel, into the first room and, what does not fit, into the second; never
  // blocks; its length, 0 when there is none. One thread at a time.
  [[nodiscard]] size_t read(std::span<uint8_t> first, std::span<uint8_t> second) const;

  void set_carrier(bool up) const;
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  KernelTwin(std::string name, int descriptor) : name_(std::move(name)), descriptor_(descriptor) {}

  std::string name_;
  int descriptor_;
};

}  // namespace ballast
