#include "control/netlink/netlink_socket.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <linux/netlink.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>

namespace ballast::netlink {

namespace {

// The kernel makes datagrams of dumps as large as the largest buffer it was read with, up to 32
// KiB.
constexpr size_t kDatagramBytes = size_t{64} * 1024;

void set_option(int descriptor, int option, int value) {
  // Each of these is a refinement that older kernels lack; without it the socket works too.
  (void)::setsockopt(descriptor, SOL_NETLINK, option, &value, sizeof value);
}

void set_receive_buffer(int descriptor, int bytes) {
  if (::setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0) {
    (void)::setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  }
}

}  // namespace

void NetlinkSocket::Close::operator()(nl_sock* socket) const {
  nl_socket_free(socket);
}

NetlinkSocket::NetlinkSocket(std::unique_ptr<nl_sock, Close> socket)
    : socket_(std::move(socket)), buffer_(kDatagramBytes) {}

tl::expected<NetlinkSocket, std::string> NetlinkSocket::open(const std::vector<int>& groups,
                                                             int receive_buffer_bytes) {
  std::unique_ptr<nl_sock, Close> socket(nl_socket_alloc());
  if (!socket) {
    return tl::unexpected(std::string("netlink: out of memory"));
  }
  if (const int error = nl_connect(socket.get(), NETLINK_ROUTE); error < 0) {
    return tl::unexpected(fmt::format("netlink: cannot open a socket: {}", nl_geterror(error)));
  }
  const int descriptor = nl_socket_get_fd(socket.get());
  set_receive_buffer(descriptor, receive_buffer_bytes);
  // Dumps can be asked for one table only, and errors come with a sentence.
  set_option(descriptor, NETLINK_GET_STRICT_CHK, 1);
  set_option(descriptor, NETLINK_EXT_ACK, 1);
  set_option(descriptor, NETLINK_CAP_ACK, 1);
  for (const int group : groups) {
    if (const int error = nl_socket_add_membership(socket.get(), group); error < 0) {
      return tl::unexpected(
          fmt::format("netlink: cannot subscribe to group {}: {}", group, nl_geterror(error)));
    }
  }
  if (const int error = nl_socket_set_nonblocking(socket.get()); error < 0) {
    return tl::unexpected(
        fmt::format("netlink: cannot make the socket non-blocking: {}", nl_geterror(error)));
  }
  return NetlinkSocket(std::move(socket));
}

int NetlinkSocket::descriptor() const {
  return nl_socket_get_fd(socket_.get());
}

NetlinkSocket::Read NetlinkSocket::read(const std::function<void(const nlmsghdr&)>& on_message) {
  sockaddr_nl sender{};
  iovec buffer{buffer_.data(), buffer_.size()};
  msghdr header{};
  header.msg_name = &sender;
  header.msg_namelen = sizeof sender;
  header.msg_iov = &buffer;
  header.msg_iovlen = 1;
  ssize_t size = 0;
  do {
    size = ::recvmsg(descriptor(), &header, MSG_DONTWAIT);
  } while (size < 0 && errno == EINTR);
  if (size < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return Read::kNothing;
    }
    return errno == ENOBUFS ? Read::kOverrun : Read::kError;
  }
  if ((header.msg_flags & MSG_TRUNC) != 0) {
    return Read::kOverrun;  // what did not fit is lost
  }
  if (sender.nl_pid != 0) {
    return Read::kMessages;  // another process sent it: not the kernel's word
  }
  auto left = static_cast<int>(size);
  auto* message = static_cast<nlmsghdr*>(static_cast<void*>(buffer_.data()));
  for (; nlmsg_ok(message, left) != 0; message = nlmsg_next(message, &left)) {
    on_message(*message);
  }
  return Read::kMessages;
}

tl::expected<void, int> NetlinkSocket::send(const void* message, size_t size) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  ssize_t sent = 0;
  do {
    sent = ::sendto(descriptor(), message, size, 0, reinterpret_cast<const sockaddr*>(&kernel),
                    sizeof kernel);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) {
    return tl::unexpected(errno);
  }
  return {};
}

}  // namespace ballast::netlink
