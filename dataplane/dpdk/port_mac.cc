#include "dataplane/dpdk/port_mac.h"

#include <cstdlib>
#include <fstream>

#include <sys/random.h>

namespace ballast {

MacAddress kept_mac(const std::string& runtime_dir, const std::string& port) {
  const std::string path = runtime_dir + "/mac-" + port;
  std::string text;
  if (std::ifstream(path) >> text) {
    if (const auto kept = MacAddress::parse(text);
        kept && !kept->is_multicast() && !kept->is_zero()) {
      return *kept;
    }
  }
  MacAddress::Bytes bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    std::abort();  // never fails for so few bytes on a machine that has booted
  }
  bytes[0] = static_cast<uint8_t>((bytes[0] & 0xfc) | 0x02);  // locally administered, unicast
  const MacAddress mac(bytes);
  std::ofstream(path) << mac.to_string() << '\n';
  return mac;
}

}  // namespace ballast
