// What `ballastctl port show` says of a device: who steers, and which offloads are used.
#include <fmt/format.h>

#include "dataplane/dpdk/ethernet_device.h"

namespace ballast {

std::string EthernetDevice::steering_in_words() const {
  if (workers_ == 1) {
    return "one worker";
  }
  if (rss_) {
    return "RSS by the NIC, with our key and indirection table";
  }
  if (receive_queues_ < workers_) {
    return fmt::format("by software: the device has {} receive queues for {} workers",
                       receive_queues_, workers_);
  }
  return "by software: the device does not hash as we do";
}

std::string EthernetDevice::reply_steering_in_words() const {
  if (workers_ == 1) {
    return "one worker";
  }
  if (rss_) {
    return "fullnat: RSS by the NIC, as local ports are taken whose replies it brings to the "
           "owner; "
           "nat: by software, as RSS by four-tuple does not know the client's half alone";
  }
  return "by software, for both fullnat and nat";
}

std::vector<std::string> EthernetDevice::offloads_in_words() const {
  std::vector<std::string> words;
  if (rss_) {
    words.emplace_back("receive: RSS hash");
  }
  if (receives_in_several_) {
    words.emplace_back("receive: long frames in several buffers");
  }
  words.emplace_back(sends_several_ ? "transmit: frames of several buffers"
                     : sends_single_buffers_only_
                         ? "transmit: frames of several buffers are copied into one"
                         : "transmit: frames of one buffer");
  if (tagged_) {
    words.emplace_back(strips_tags_ ? "VLAN tags: taken off by the device"
                                    : "VLAN tags: taken off by software");
    words.emplace_back(inserts_tags_ ? "VLAN tags: put on by the device"
                                     : "VLAN tags: put on by software");
  }
  words.emplace_back("checksums: updated by software, as what changed says");
  words.emplace_back("segmentation: not negotiated: peers send what fits the MTU");
  return words;
}

}  // namespace ballast
