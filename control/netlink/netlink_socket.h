// A NETLINK_ROUTE socket of the calling thread's network namespace.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <tl/expected.hpp>

struct nl_sock;
struct nlmsghdr;

namespace ballast::netlink {

class NetlinkSocket {
 public:
  // `groups`: RTNLGRP_*. Not blocking.
  static tl::expected<NetlinkSocket, std::string> open(const std::vector<int>& groups,
                                                       int receive_buffer_bytes);

  [[nodiscard]] int descriptor() const;

  enum class Read : uint8_t { kMessages, kNothing, kOverrun, kError };
  // Reads one datagram and hands its messages out, those of the kernel only. kError: errno says
  // why.
  Read read(const std::function<void(const nlmsghdr&)>& on_message);

  // Sends `size` bytes at once. The error is errno.
  tl::expected<void, int> send(const void* message, size_t size);

 private:
  struct Close {
    void operator()(nl_sock* socket) const;
  };
  explicit NetlinkSocket(std::unique_ptr<nl_sock, Close> socket);

  std::unique_ptr<nl_sock, Close> socket_;
  std::vector<uint8_t> buffer_;
};

}  // namespace ballast::netlink
