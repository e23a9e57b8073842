// A raw socket for adverts (protocol 112) of one family on one interface.
//
// The kernel writes the IP header: TTL or hop limit 255, DSCP CS6, the source that each send names.
// Multicast does not come back to the sender. Nothing blocks.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "vrrp/advert_codec.h"
#include "vrrp/datagram.h"

namespace ballast::vrrp {

class AdvertSocket {
 public:
  // Needs CAP_NET_RAW. An error says which call failed, on which interface and why.
  static tl::expected<AdvertSocket, std::string> open(Family family, InterfaceIndex interface);

  AdvertSocket(AdvertSocket&& other) noexcept;
  AdvertSocket& operator=(AdvertSocket&& other) noexcept;
  AdvertSocket(const AdvertSocket&) = delete;
  AdvertSocket& operator=(const AdvertSocket&) = delete;
  ~AdvertSocket();

  [[nodiscard]] int descriptor() const { return descriptor_; }

  // 0, or an errno.
  int send(std::span<const uint8_t> message, const AdvertPath& path) const;

  struct Received {
    Datagram datagram;      // its message lies in the buffer given
    bool is_whole = false;  // else AdvertFault::kIpLength
  };
  // None: nothing waits.
  std::optional<Received> receive(std::span<uint8_t> buffer) const;

  // Reads away what waits, at most kMaximumBacklog.
  static constexpr size_t kMaximumBacklog = 4096;
  size_t drop_backlog() const;

 private:
  AdvertSocket(int descriptor, Family family, InterfaceIndex interface)
      : descriptor_(descriptor), family_(family), interface_(interface) {}
  [[nodiscard]] tl::expected<void, std::string> configure() const;

  int descriptor_;
  Family family_;
  InterfaceIndex interface_;
};

// The addresses of an interface that adverts are sent from.
struct InterfaceFacts {
  InterfaceIndex interface {};
  std::optional<IpAddress> ipv4;        // the primary one
  std::optional<IpAddress> link_local;  // IPv6

  friend bool operator==(const InterfaceFacts&, const InterfaceFacts&) = default;
};

// By getifaddrs(3), for who does not mirror the kernel.
InterfaceFacts read_interface_facts(InterfaceIndex interface);

}  // namespace ballast::vrrp
