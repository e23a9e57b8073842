#include "dataplane/dpdk/rss_types.h"

#include <gtest/gtest.h>
#include <rte_ethdev.h>

namespace ballast {
namespace {

constexpr uint64_t kTcp = RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV6_TCP;
constexpr uint64_t kUdp = RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_UDP;

TEST(RssTypes, LetTheDevicesHashCountOnlyWhereAllOfThemAreGranted) {
  EXPECT_EQ(wanted_rss_types(), kTcp | kUdp);
  EXPECT_TRUE(hashes_as_we_do(kTcp | kUdp));
  EXPECT_TRUE(hashes_as_we_do(kTcp | kUdp | RTE_ETH_RSS_IPV4));
  EXPECT_FALSE(hashes_as_we_do(0));
  for (const uint64_t missing : {RTE_ETH_RSS_NONFRAG_IPV4_TCP, RTE_ETH_RSS_NONFRAG_IPV6_TCP,
                                 RTE_ETH_RSS_NONFRAG_IPV4_UDP, RTE_ETH_RSS_NONFRAG_IPV6_UDP}) {
    EXPECT_FALSE(hashes_as_we_do((kTcp | kUdp) & ~missing));
    EXPECT_FALSE(hashes_as_we_do(missing));
    // Hashed over the addresses alone, which is another hash.
    EXPECT_FALSE(hashes_as_we_do(((kTcp | kUdp) & ~missing) | RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_IPV6));
  }
}

TEST(RssTypes, AreThoseThatTheDeviceSaysWhereItSaysAny) {
  const uint64_t all = kTcp | kUdp;
  const uint64_t tcp_only = kTcp | RTE_ETH_RSS_IPV4;
  EXPECT_EQ(granted_rss_types(all, nullptr), all);
  EXPECT_EQ(granted_rss_types(all, &tcp_only), kTcp);
  EXPECT_EQ(granted_rss_types(kTcp, &all), kTcp);
  EXPECT_EQ(granted_rss_types(tcp_only, nullptr), kTcp);
}

TEST(RssTypes, AreNamedWhereTheyAreMissing) {
  EXPECT_EQ(missing_rss_types_in_words(kTcp | kUdp), "");
  EXPECT_EQ(missing_rss_types_in_words(kTcp), "UDP over IPv4, UDP over IPv6");
  EXPECT_EQ(missing_rss_types_in_words(0),
            "TCP over IPv4, UDP over IPv4, TCP over IPv6, UDP over IPv6");
}

}  // namespace
}  // namespace ballast
