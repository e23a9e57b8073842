#include "dataplane/dpdk/mac_filter.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>
#include <rte_ethdev.h>

namespace ballast {
namespace {

rte_ether_addr for_dpdk(const MacAddress& mac) {
  rte_ether_addr address{};
  std::copy(mac.bytes().begin(), mac.bytes().end(), std::begin(address.addr_bytes));
  return address;
}

}  // namespace

MacAddress mac_of_device(uint16_t device_id) {
  rte_ether_addr address{};
  rte_eth_macaddr_get(device_id, &address);
  MacAddress::Bytes bytes{};
  std::copy(std::begin(address.addr_bytes), std::end(address.addr_bytes), bytes.begin());
  return MacAddress(bytes);
}

MacFilter::MacFilter(uint16_t device_id, bool device_is_virtual)
    : id_(device_id), is_virtual_(device_is_virtual) {
  rte_eth_promiscuous_enable(id_);
}

int MacFilter::add(const MacAddress& mac) {
  rte_ether_addr address = for_dpdk(mac);
  const int error = rte_eth_dev_mac_addr_add(id_, &address, 0);
  if (error == 0) {
    filtered_.push_back(mac);
  }
  return error;
}

void MacFilter::accept(const std::vector<MacAddress>& macs) {
  std::vector<MacAddress> wanted = macs;
  std::erase(wanted, mac_of_device(id_));
  // Before anything is taken from the filter: no frame is lost while it changes.
  const bool as_it_is =
      std::is_permutation(wanted.begin(), wanted.end(), filtered_.begin(), filtered_.end());
  if (!promiscuous_ && !as_it_is) {
    promiscuous_ = rte_eth_promiscuous_enable(id_) == 0;
  }
  std::erase_if(filtered_, [&](const MacAddress& mac) {
    rte_ether_addr address = for_dpdk(mac);
    return std::find(wanted.begin(), wanted.end(), mac) == wanted.end() &&
           rte_eth_dev_mac_addr_remove(id_, &address) == 0;
  });
  error_ = 0;
  for (const MacAddress& mac : wanted) {
    if (error_ == 0 && std::find(filtered_.begin(), filtered_.end(), mac) == filtered_.end()) {
      error_ = add(mac);
    }
  }
  // A virtual device that was asked for nothing may have no filter at all: it stays as it is.
  const bool may_filter = error_ == 0 && (!wanted.empty() || !is_virtual_);
  if (may_filter && promiscuous_) {
    promiscuous_ = rte_eth_promiscuous_disable(id_) != 0;
  }
}

std::string MacFilter::in_words() const {
  if (!promiscuous_) {
    return fmt::format("by the device, with {} more", filtered_.size());
  }
  if (error_ != 0) {
    return fmt::format("promiscuous: the device takes no further MAC: {}", std::strerror(-error_));
  }
  return "promiscuous";
}

}  // namespace ballast
