#include "dataplane/dpdk/hand_over_field.h"

#include "tests/unit/dpdk/eal_fixture.h"

namespace ballast {
namespace {

using HandOverFieldTest = test::EalTest;

TEST_F(HandOverFieldTest, IsTheSameForAllWorkersAndApartForEveryFrame) {
  const auto first = HandOverField::find_or_register();
  const auto second = HandOverField::find_or_register();
  ASSERT_TRUE(first && second);
  const test::Mbuf one = mbuf_of(test::Bytes(100));
  const test::Mbuf other = mbuf_of(test::Bytes(100));
  const HandOverNote fragment{.datagram_source_port = Big16::from_host(40000),
                              .datagram_destination_port = Big16::from_host(53),
                              .datagram_protocol = IpProtocol::kUdp,
                              .kind = HandOver::kFragment};
  HandOverNote flow;
  flow.kind = HandOver::kFlow;
  first->of(one.get()) = fragment;
  first->of(other.get()) = flow;
  one->port = 3;
  one->hash.rss = 0xffffffff;
  EXPECT_EQ(second->of(one.get()), fragment);
  EXPECT_EQ(second->of(other.get()), flow);
  EXPECT_EQ(frame_of(*one).bytes, test::Bytes(100));
}

}  // namespace
}  // namespace ballast
