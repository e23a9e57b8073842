// What `ballastctl port show` says of a device: who steers, and which offloads are used.
#include <fmt/format.h>

#include "dataplane/dpdk/ethernet_device.h"
#include "dataplane/dpdk/rss_types.h"

namespace ballast {
namespace {

// What stands behind the words for RSS where the device does only a part of it.
std::string rss_gap_in_words(uint64_t granted) {
  return hashes_as_we_do(granted)
             ? ""
             : fmt::format(", but it does not hash the ports of {}: software hashes every packet",
                           missing_rss_types_in_words(granted));
}

}  // namespace

std::string EthernetDevice::steering_in_words() const {
  if (workers_ == 1) {
    return "one worker";
  }
  if (rss_) {
    return "RSS by the NIC, with our key and indirection table" + rss_gap_in_words(rss_types_);
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
           "owner" +
           rss_gap_in_words(rss_types_) +
           "; nat: by software, as RSS by four-tuple does not know the client's half alone";
  }
  return "by software, for both fullnat and nat";
}

std::vector<std::string> EthernetDevice::offloads_in_words() const {
  std::vector<std::string> words;
  if (hashes_for_us_) {
    words.emplace_back("receive: RSS hash");
  } else if (rss_) {
    words.emplace_back("receive: RSS without its hash, which is not of ports for all packets");
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
