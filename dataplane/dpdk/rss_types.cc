#include "dataplane/dpdk/rss_types.h"

#include <array>
#include <utility>

#include <rte_ethdev.h>

namespace ballast {
namespace {

constexpr std::array kTypes{
    std::pair<uint64_t, const char*>{RTE_ETH_RSS_NONFRAG_IPV4_TCP, "TCP over IPv4"},
    std::pair<uint64_t, const char*>{RTE_ETH_RSS_NONFRAG_IPV4_UDP, "UDP over IPv4"},
    std::pair<uint64_t, const char*>{RTE_ETH_RSS_NONFRAG_IPV6_TCP, "TCP over IPv6"},
    std::pair<uint64_t, const char*>{RTE_ETH_RSS_NONFRAG_IPV6_UDP, "UDP over IPv6"}};

}  // namespace

uint64_t wanted_rss_types() {
  uint64_t wanted = 0;
  for (const auto& [type, name] : kTypes) {
    wanted |= type;
  }
  return wanted;
}

uint64_t granted_rss_types(uint64_t requested, const uint64_t* reported) {
  return requested & wanted_rss_types() & (reported != nullptr ? *reported : UINT64_MAX);
}

bool hashes_as_we_do(uint64_t granted) {
  return (wanted_rss_types() & ~granted) == 0;
}

std::string missing_rss_types_in_words(uint64_t granted) {
  std::string words;
  for (const auto& [type, name] : kTypes) {
    if ((granted & type) == 0) {
      words += words.empty() ? name : std::string(", ") + name;
    }
  }
  return words;
}

}  // namespace ballast
