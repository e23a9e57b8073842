#include "dataplane/rewrite/direct_routing.h"

#include "tests/unit/rewrite/in_place.h"

namespace ballast::testing {
namespace {

TEST(DirectRouting, ChangesTheMacsAndNothingElse) {
  for (const Sample& sample : sample_frames()) {
    Frame frame = sample.frame;
    const ExactBuffer buffer(frame.bytes);
    rewrite_direct_routing(buffer.view(), mac_address("02:00:00:00:00:0a"),
                           mac_address("02:00:00:00:00:0b"));
    const Bytes rewritten(buffer.data(), buffer.data() + buffer.size());
    EXPECT_EQ(Bytes(rewritten.begin() + 12, rewritten.end()),
              Bytes(frame.bytes.begin() + 12, frame.bytes.end()));
    EXPECT_EQ(Bytes(rewritten.begin(), rewritten.begin() + 12),
              (Bytes{2, 0, 0, 0, 0, 0xb, 2, 0, 0, 0, 0, 0xa}))
        << sample.name;
  }
}

TEST(DirectRouting, WorksOnAnEthernetHeaderAlone) {
  const ExactBuffer buffer(Bytes(14, 0xee));
  rewrite_direct_routing(buffer.view(), mac_address("02:00:00:00:00:0a"),
                         mac_address("02:00:00:00:00:0b"));
  EXPECT_EQ(buffer.data()[12], 0xee);
}

}  // namespace
}  // namespace ballast::testing
