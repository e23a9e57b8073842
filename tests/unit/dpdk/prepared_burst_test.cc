#include "dataplane/dpdk/prepared_burst.h"

#include <array>
#include <random>
#include <vector>

#include <gmock/gmock.h>
#include <rte_mbuf.h>

namespace ballast {
namespace {

using ::testing::ElementsAreArray;
using ::testing::UnorderedElementsAreArray;

// Stops where rte_eth_tx_prepare() does: at the first frame that is refused.
uint16_t prepare_until_refused(rte_mbuf** frames, uint16_t count) {
  uint16_t prepared = 0;
  while (prepared < count && frames[prepared]->port == 0) {
    ++frames[prepared++]->refcnt;
  }
  return prepared;
}

TEST(PreparedBurst, LosesOnlyTheFramesThatAreRefusedAndKeepsTheOrderOfTheRest) {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    std::vector<rte_mbuf> mbufs(random() % 65);
    std::vector<rte_mbuf*> good;
    std::vector<rte_mbuf*> refused;
    std::vector<rte_mbuf*> frames;
    const unsigned one_in = 1 + random() % 8;
    for (rte_mbuf& mbuf : mbufs) {
      mbuf.refcnt = 0;
      mbuf.port = random() % one_in == 0 ? 1 : 0;
      (mbuf.port == 0 ? good : refused).push_back(&mbuf);
      frames.push_back(&mbuf);
    }
    const uint16_t ready =
        prepare_burst(frames.data(), static_cast<uint16_t>(frames.size()), prepare_until_refused);
    ASSERT_EQ(ready, good.size());
    EXPECT_THAT(std::vector(frames.begin(), frames.begin() + ready), ElementsAreArray(good));
    EXPECT_THAT(std::vector(frames.begin() + ready, frames.end()),
                UnorderedElementsAreArray(refused));
    for (const rte_mbuf* frame : good) {
      EXPECT_EQ(frame->refcnt, 1);  // prepared once: a tag that is inserted twice is two
    }
  }
}

}  // namespace
}  // namespace ballast
