// Which frames a device lets in, by their destination MAC.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/packet/address.h"

namespace ballast {

class MacFilter {
 public:
  // Lets everything in, until accept() has found out what the device can.
  MacFilter(uint16_t device_id, bool device_is_virtual);

  // Lets frames to these MACs in beside those to the device's own: by its filter where it takes
  // them all, by promiscuous mode where not. Each is given once.
  void accept(const std::vector<MacAddress>& macs);
  [[nodiscard]] std::string in_words() const;

 private:
  int add(const MacAddress& mac);

  uint16_t id_;
  bool is_virtual_;
  bool promiscuous_ = true;
  int error_ = 0;                     // why it is; 0: nobody has asked for a filter yet
  std::vector<MacAddress> filtered_;  // that the device takes beside its own
};

// The device's own.
MacAddress mac_of_device(uint16_t device_id);

}  // namespace ballast
