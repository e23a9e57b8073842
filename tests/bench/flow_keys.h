// Keys of flows by number, for benchmarks of connection tables.
#pragma once

#include <cstdint>
#include <cstring>

#include "dataplane/packet/flow_key.h"

namespace ballast::bench {

// tcp 10.x.y.z:p -> 192.0.2.1:443 in the form of its five words. Only the two that differ from flow
// to flow are written, each as a whole: a key put together of smaller or wider pieces makes the
// hash wait for its stores.
class FlowMaker {
 public:
  FlowMaker() {
    blank_.client = IpAddress::v4({10, 0, 0, 0});
    blank_.vip = IpAddress::v4({192, 0, 2, 1});
    blank_.vip_port = Big16::from_host(443);
    blank_.protocol = IpProtocol::kTcp;
    std::memcpy(&client_, word(blank_, 1), sizeof(client_));
    std::memcpy(&ports_, word(blank_, 4), sizeof(ports_));
  }

  // `key` has been a flow of this maker before, or is blank().
  void change(FlowKey& key, uint32_t number) const {
    const uint64_t client = client_ | uint64_t{__builtin_bswap32(number / 32)} << 32;
    const uint64_t ports = ports_ | __builtin_bswap16(static_cast<uint16_t>(32768 + number % 32));
    std::memcpy(word(key, 1), &client, sizeof(client));
    std::memcpy(word(key, 4), &ports, sizeof(ports));
  }
  [[nodiscard]] const FlowKey& blank() const { return blank_; }
  [[nodiscard]] FlowKey operator()(uint32_t number) const {
    FlowKey key = blank_;
    change(key, number);
    return key;
  }

 private:
  static unsigned char* word(FlowKey& key, size_t number) {
    return reinterpret_cast<unsigned char*>(&key) + number * sizeof(uint64_t);
  }

  FlowKey blank_;
  uint64_t client_ = 0;
  uint64_t ports_ = 0;
};

}  // namespace ballast::bench
