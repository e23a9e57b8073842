#include "dataplane/dpdk/kernel_twin.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

namespace ballast {
namespace {

constexpr size_t kMaxPieces = 16;

ifreq request_for(const std::string& name) {
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  return request;
}

std::string failure(const std::string& name, std::string_view what) {
  return fmt::format("kernel twin \"{}\": cannot {}: {}", name, what, std::strerror(errno));
}

// The address and size of the interface; an error names the step.
tl::expected<void, std::string> dress(int socket_fd, const std::string& name, const MacAddress& mac,
                                      uint16_t mtu) {
  ifreq request = request_for(name);
  request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
  std::copy(mac.bytes().begin(), mac.bytes().end(), request.ifr_hwaddr.sa_data);
  if (ioctl(socket_fd, SIOCSIFHWADDR, &request) < 0) {
    return tl::unexpected(failure(name, "set its MAC"));
  }
  request = request_for(name);
  request.ifr_mtu = mtu;
  if (ioctl(socket_fd, SIOCSIFMTU, &request) < 0) {
    return tl::unexpected(failure(name, "set its MTU"));
  }
  request = request_for(name);
  if (ioctl(socket_fd, SIOCGIFFLAGS, &request) < 0) {
    return tl::unexpected(failure(name, "read its flags"));
  }
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  if (ioctl(socket_fd, SIOCSIFFLAGS, &request) < 0) {
    return tl::unexpected(failure(name, "bring it up"));
  }
  return {};
}

}  // namespace

tl::expected<KernelTwin, std::string> KernelTwin::attach(const std::string& name,
                                                         const MacAddress& mac, uint16_t mtu) {
  const int descriptor = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (descriptor < 0) {
    return tl::unexpected(failure(name, "open /dev/net/tun"));
  }
  KernelTwin twin(name, descriptor);
  ifreq request = request_for(name);
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  if (ioctl(descriptor, TUNSETIFF, &request) < 0) {
    const bool busy = errno == EBUSY;
    return tl::unexpected(failure(name, busy ? "attach: another process holds this interface"
                                             : "attach: is there another interface of this name?"));
  }
  if (ioctl(descriptor, TUNSETPERSIST, 1) < 0) {
    return tl::unexpected(failure(name, "make it persistent"));
  }
  const int socket_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket_fd < 0) {
    return tl::unexpected(failure(name, "open a socket"));
  }
  const auto dressed = dress(socket_fd, name, mac, mtu);
  close(socket_fd);
  if (!dressed) {
    return tl::unexpected(dressed.error());
  }
  return twin;
}

KernelTwin::~KernelTwin() {
  if (descriptor_ >= 0) {
    close(descriptor_);
  }
}

bool KernelTwin::write(std::span<const uint8_t> frame) const {
  return ::write(descriptor_, frame.data(), frame.size()) == static_cast<ssize_t>(frame.size());
}

bool KernelTwin::write(std::span<const std::span<const uint8_t>> pieces) const {
  if (pieces.size() > kMaxPieces) {
    return false;
  }
  std::array<iovec, kMaxPieces> vectors{};
  for (size_t i = 0; i < pieces.size(); ++i) {
    // writev() does not write to it; the interface has no const form.
    vectors[i] = {const_cast<uint8_t*>(pieces[i].data()), pieces[i].size()};
  }
  return writev(descriptor_, vectors.data(), static_cast<int>(pieces.size())) > 0;
}

size_t KernelTwin::read(std::span<uint8_t> first, std::span<uint8_t> second) const {
  const std::array<iovec, 2> rooms{{{first.data(), first.size()}, {second.data(), second.size()}}};
  const ssize_t length = readv(descriptor_, rooms.data(), second.empty() ? 1 : 2);
  return length > 0 ? static_cast<size_t>(length) : 0;
}

void KernelTwin::set_carrier(bool up) const {
  int carrier = up ? 1 : 0;
  ioctl(descriptor_, TUNSETCARRIER, &carrier);
}

}  // namespace ballast
