#include "dataplane/dpdk/fragmenter.h"

#include <map>
#include <random>
#include <set>

#include <gmock/gmock.h>
#include <rte_ip_frag.h>

#include "tests/unit/dpdk/eal_fixture.h"

namespace ballast {
namespace {

using test::Bytes;
using test::Frame;
using test::Mbuf;
using ::testing::Each;
using ::testing::IsEmpty;
using ::testing::Le;
using testing::packet;
using testing::PacketBuilder;

constexpr size_t kFragmentHeader = 8;

Bytes numbered(size_t size) {
  Bytes bytes(size);
  for (size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<uint8_t>(i * 7 + i / 256);
  }
  return bytes;
}

PacketBuilder over_ipv4(size_t payload) {
  return packet().ip("198.51.100.7", "192.0.2.10").udp(40000, 53).payload(numbered(payload));
}
PacketBuilder over_ipv6(size_t payload) {
  return packet().ip("2001:db8:1::7", "2001:db8::10").udp(40000, 53).payload(numbered(payload));
}

size_t ip_header_of(Frame& frame) {
  return frame.ipv4() != nullptr
             ? frame.ipv4()->header_length()
             : sizeof(Ipv6Header) +
                   (frame.fragment() == testing::FragmentNotes{} &&
                            frame.ipv6()->next_header != wire_byte(IpProtocol::kFragment)
                        ? 0
                        : kFragmentHeader);
}

// Behind the IP headers, the fragment header included.
Bytes data_of(Frame& frame) {
  const Bytes network = frame.network_bytes();
  return {network.begin() + static_cast<std::ptrdiff_t>(ip_header_of(frame)), network.end()};
}

// What a receiver puts together, byte by byte; empty when anything is missing or comes twice.
Bytes reassembled(std::vector<Frame> fragments) {
  std::map<size_t, uint8_t> bytes;
  size_t end = 0;
  for (Frame& fragment : fragments) {
    const testing::FragmentNotes notes = fragment.fragment();
    const Bytes data = data_of(fragment);
    for (size_t i = 0; i < data.size(); ++i) {
      if (!bytes.emplace(notes.begin + i, data[i]).second) {
        return {};
      }
    }
    if (!notes.more) {
      end = notes.begin + data.size();
    }
  }
  Bytes result;
  for (const auto& [position, byte] : bytes) {
    if (position != result.size()) {
      return {};
    }
    result.push_back(byte);
  }
  return result.size() == end ? result : Bytes{};
}

class FragmenterTest : public test::EalTest {
 protected:
  // The fragments as frames; empty when there are none, for `reason`.
  std::vector<Frame> cut(const Frame& frame, uint16_t mtu, size_t segment = SIZE_MAX) {
    const Mbuf mbuf = mbuf_of(frame, segment);
    const auto fragments = fragmenter_.cut(*mbuf, mtu);
    reason_ = fragments ? DropReason::kNone : fragments.error();
    std::vector<Frame> frames;
    if (fragments) {
      for (rte_mbuf* fragment : *fragments) {
        EXPECT_EQ(fragment->nb_segs, 1);
        EXPECT_GE(rte_pktmbuf_headroom(fragment), 64);
        frames.push_back(frame_of(*Mbuf(fragment)));
      }
    }
    return frames;
  }

  Fragmenter fragmenter_{pool(), WorkerIndex{1}, 4, 7};
  DropReason reason_ = DropReason::kNone;
};

TEST_F(FragmenterTest, GivesFragmentsThatMakeThePacketAgainHoweverItIsChained) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    const bool six = round % 2 == 0;
    const size_t payload = 1300 + random() % 8000;
    const auto mtu = static_cast<uint16_t>(1280 + random() % 700);
    Frame whole = (six ? over_ipv6(payload) : over_ipv4(payload)).build();
    std::vector<Frame> fragments = cut(whole, mtu, 100 + random() % 2000);
    if (whole.network_bytes().size() <= mtu) {
      continue;
    }
    ASSERT_GE(fragments.size(), 2U);
    for (Frame& fragment : fragments) {
      EXPECT_THAT(fragment.network_bytes().size(), Le(mtu));
      EXPECT_EQ(fragment.size(), sizeof(EthernetHeader) + fragment.network_bytes().size());
      EXPECT_TRUE(std::equal(whole.bytes.begin(), whole.bytes.begin() + sizeof(EthernetHeader),
                             fragment.bytes.begin()));
      if (fragment.ipv4() != nullptr) {
        const Bytes header(fragment.bytes.begin() + 14, fragment.bytes.begin() + 34);
        EXPECT_EQ(testing::reference_checksum(header), 0);
      }
    }
    EXPECT_EQ(reassembled(fragments), data_of(whole));
  }
}

// librte_ip_frag, whose IPv4 checksums and IPv6 identifications are the caller's to fill in.
TEST_F(FragmenterTest, CutsAsDpdksOwnLibraryDoes) {
  rte_mempool* indirect = rte_pktmbuf_pool_create("indirect", 255, 0, 0, 0, SOCKET_ID_ANY);
  ASSERT_NE(indirect, nullptr);
  for (const bool six : {false, true}) {
    for (size_t payload = 1500; payload < 9000; payload += 397) {
      Frame whole = (six ? over_ipv6(payload) : over_ipv4(payload)).build();
      std::vector<Frame> ours = cut(whole, 1500);
      const Mbuf mbuf = mbuf_of(whole);
      rte_pktmbuf_adj(mbuf.get(), sizeof(EthernetHeader));
      std::array<rte_mbuf*, 64> theirs{};
      const int count = (six ? rte_ipv6_fragment_packet : rte_ipv4_fragment_packet)(
          mbuf.get(), theirs.data(), theirs.size(), 1500, &pool(), indirect);
      ASSERT_EQ(count, ours.size());
      for (int i = 0; i < count; ++i) {
        Frame expected = frame_of(*Mbuf(theirs[i]));
        expected.bytes.insert(expected.bytes.begin(), whole.bytes.begin(),
                              whole.bytes.begin() + sizeof(EthernetHeader));
        Frame& found = ours.at(static_cast<size_t>(i));
        if (six) {
          std::memset(found.bytes.data() + 14 + 40 + 4, 0, 4);
        } else {
          found.ipv4()->checksum = {};
          expected.ipv4()->checksum = {};
        }
        EXPECT_EQ(found, expected) << "fragment " << i << " of " << count;
      }
    }
  }
  rte_mempool_free(indirect);
}

TEST_F(FragmenterTest, KeepsTheIdentificationOfAClient) {
  for (Frame& fragment : cut(over_ipv4(5000).identification(0xabcd).build(), 1500)) {
    EXPECT_EQ(fragment.fragment().id, 0xabcdU);
  }
}

TEST_F(FragmenterTest, GivesEachPacketWithoutOneAnIdentificationThatNoOtherWorkerGives) {
  Fragmenter other(pool(), WorkerIndex{2}, 4, 7);
  std::set<uint32_t> ours;
  std::set<uint32_t> theirs;
  for (const bool six : {false, true}) {
    const Frame whole = (six ? over_ipv6(3000) : over_ipv4(3000).identification(0)).build();
    for (int i = 0; i < 500; ++i) {
      std::vector<Frame> fragments = cut(whole, 1500);
      ASSERT_EQ(fragments.size(), 3U);
      const uint32_t id = fragments[0].fragment().id;
      EXPECT_NE(id, 0U);
      EXPECT_EQ(fragments[1].fragment().id, id);
      EXPECT_EQ(fragments[2].fragment().id, id);
      EXPECT_TRUE(ours.insert(id).second);
      const Mbuf mbuf = mbuf_of(whole);
      const auto others = other.cut(*mbuf, 1500);
      ASSERT_TRUE(others);
      theirs.insert(frame_of(*others->front()).fragment().id);
      rte_pktmbuf_free_bulk(others->data(), static_cast<unsigned>(others->size()));
    }
  }
  EXPECT_EQ(ours.size(), 1000U);
  for (const uint32_t id : theirs) {
    EXPECT_EQ(ours.count(id), 0U);
  }
}

// RFC 791: a fragment that is cut again keeps its place, and "more" where it had it.
TEST_F(FragmenterTest, CutsAFragmentAgain) {
  for (const bool more : {false, true}) {
    Frame fragment = over_ipv4(8000).identification(0).fragment(2400, 3200, more).build();
    std::vector<Frame> pieces = cut(fragment, 1500);
    ASSERT_EQ(pieces.size(), 3U);
    EXPECT_EQ(pieces[0].fragment().begin, 2400U);
    EXPECT_EQ(pieces[0].fragment().id, 0U);  // the others of this datagram have it too
    EXPECT_TRUE(pieces[0].fragment().more);
    EXPECT_TRUE(pieces[1].fragment().more);
    EXPECT_EQ(pieces[2].fragment().more, more);
    EXPECT_EQ(pieces[2].fragment().end, 2400U + 3200U);
  }
}

TEST_F(FragmenterTest, RepeatsOnlyOptionsThatSaySo) {
  // No operation, record route (first only), security (copied).
  const Bytes options{1, 7, 7, 4, 0, 0, 0, 0, 130, 4, 9, 9};
  std::vector<Frame> fragments = cut(over_ipv4(3000).ipv4_options(options).build(), 1400);
  ASSERT_EQ(fragments.size(), 3U);
  const Bytes first(fragments[0].bytes.begin() + 34, fragments[0].bytes.begin() + 46);
  EXPECT_EQ(first, options);
  for (size_t i = 1; i < 3; ++i) {
    EXPECT_EQ(fragments[i].ipv4()->header_length(), 24);
    const Bytes later(fragments[i].bytes.begin() + 34, fragments[i].bytes.begin() + 38);
    EXPECT_EQ(later, (Bytes{130, 4, 9, 9}));
    const Bytes header(fragments[i].bytes.begin() + 14, fragments[i].bytes.begin() + 38);
    EXPECT_EQ(testing::reference_checksum(header), 0);
  }
}

TEST_F(FragmenterTest, LeavesEthernetPaddingOut) {
  Frame whole = over_ipv4(1400).pad_to(1700).build();
  const std::vector<Frame> fragments = cut(whole, 1300);
  EXPECT_EQ(fragments.size(), 2U);
  EXPECT_EQ(reassembled(fragments), data_of(whole));
}

TEST_F(FragmenterTest, KeepsThePriorityTag) {
  for (Frame& fragment : cut(over_ipv4(3000).vlan(0).build(), 1500)) {
    EXPECT_EQ(fragment.network_offset(), 18U);
  }
}

TEST_F(FragmenterTest, GivesNoFragmentLongerThanABuffer) {
  Frame whole = over_ipv4(8900).build();
  const std::vector<Frame> fragments = cut(whole, 4000);
  EXPECT_GE(fragments.size(), 5U);
  EXPECT_EQ(reassembled(fragments), data_of(whole));
}

TEST_F(FragmenterTest, RefusesWhatMayNotBeCut) {
  EXPECT_THAT(cut(over_ipv4(3000).dont_fragment().build(), 1500), IsEmpty());
  EXPECT_EQ(reason_, DropReason::kTooBig);
  EXPECT_THAT(cut(over_ipv6(3000).extension(IpProtocol::kHopByHop).build(), 1500), IsEmpty());
  EXPECT_EQ(reason_, DropReason::kTooBig);
  EXPECT_THAT(cut(over_ipv4(60000).build(), 40), IsEmpty());
  EXPECT_EQ(reason_, DropReason::kTooBig);
}

TEST_F(FragmenterTest, SaysWhenThereAreNoBuffers) {
  const Mbuf mbuf = mbuf_of(over_ipv4(5000).build());
  std::vector<rte_mbuf*> taken(rte_mempool_avail_count(&pool()) - 2);
  ASSERT_EQ(rte_pktmbuf_alloc_bulk(&pool(), taken.data(), static_cast<unsigned>(taken.size())), 0);
  const auto fragments = fragmenter_.cut(*mbuf, 1500);
  rte_pktmbuf_free_bulk(taken.data(), static_cast<unsigned>(taken.size()));
  ASSERT_FALSE(fragments);
  EXPECT_EQ(fragments.error(), DropReason::kNoBuffer);
}

// Whatever the bytes are: refused, or cut within bounds.
TEST_F(FragmenterTest, StandsAnyBytes) {
  std::mt19937 random(2);
  for (int round = 0; round < 3000; ++round) {
    Frame frame =
        (round % 2 == 0 ? over_ipv6(2000) : over_ipv4(2000).ipv4_options(Bytes(12, 130))).build();
    for (int change = 0; change < 4; ++change) {
      frame.bytes[12 + random() % 50] = static_cast<uint8_t>(random());
    }
    if (round % 5 == 0) {
      frame = frame.truncated(1 + random() % 100);
    }
    for (const Frame& fragment : cut(frame, 1400, 64 + random() % 1000)) {
      EXPECT_LE(fragment.size(), 1400U + 22U);
    }
  }
}

}  // namespace
}  // namespace ballast
