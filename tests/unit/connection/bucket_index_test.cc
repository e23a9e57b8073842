#include "dataplane/connection/bucket_index.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>
#include <random>
#include <unordered_map>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace ballast {
namespace {

class Index {
 public:
  explicit Index(uint32_t buckets)
      : memory_(std::make_unique<Bucket[]>(buckets)), index_(memory_.get(), buckets) {}

  BucketIndex& operator*() { return index_; }
  BucketIndex* operator->() { return &index_; }
  [[nodiscard]] bool holds(uint64_t hash, uint32_t entry) const {
    return index_.find(hash, [entry](uint32_t candidate) { return candidate == entry; }) == entry;
  }
  // Entries in their alternative bucket, counted in the two ways in which buckets note them.
  [[nodiscard]] std::pair<uint64_t, uint64_t> displaced() const {
    uint64_t counted = 0;
    uint64_t marked = 0;
    for (uint32_t i = 0; i < index_.bucket_count(); ++i) {
      counted += memory_[i].displaced;
      marked += static_cast<uint64_t>(std::popcount(memory_[i].alternative));
    }
    return {counted, marked};
  }
  [[nodiscard]] bool is_blank() const {
    for (uint32_t i = 0; i < index_.bucket_count(); ++i) {
      const Bucket blank{};
      if (std::memcmp(&memory_[i], &blank, sizeof(blank)) != 0) {
        return false;
      }
    }
    return true;
  }

 private:
  std::unique_ptr<Bucket[]> memory_;
  BucketIndex index_;
};

TEST(BucketIndex, HasRoomForAQuarterMoreThanIsAskedForAndAPowerOfTwoOfBuckets) {
  EXPECT_EQ(BucketIndex::buckets_for(0), 2U);
  EXPECT_EQ(BucketIndex::buckets_for(12), 2U);
  EXPECT_EQ(BucketIndex::buckets_for(13), 4U);
  EXPECT_EQ(BucketIndex::buckets_for(1'100'000), 262'144U);
  for (uint64_t entries = 1; entries < UINT32_MAX / 2; entries = entries * 3 / 2 + 1) {
    const uint64_t buckets = BucketIndex::buckets_for(static_cast<uint32_t>(entries));
    EXPECT_TRUE(std::has_single_bit(buckets));
    EXPECT_GE(buckets * Bucket::kSlots * 4, entries * 5);
    EXPECT_TRUE(buckets == 2 || buckets * Bucket::kSlots * 4 < entries * 10 + 40) << entries;
  }
}

TEST(BucketIndex, FindsEveryEntryAtFourFifthsAndAtNineTenthsOfItsSlots) {
  for (const uint32_t buckets : {2U, 16U, 1024U, 65536U, 262144U}) {
    for (const uint32_t percent : {80U, 90U}) {
      Index index(buckets);
      std::mt19937_64 random(buckets + percent);
      std::vector<uint64_t> hashes(uint64_t{buckets} * Bucket::kSlots * percent / 100);
      for (uint32_t i = 0; i < hashes.size(); ++i) {
        hashes[i] = random();
        ASSERT_TRUE(index->insert(hashes[i], i + 1)) << buckets << " buckets, entry " << i;
      }
      for (uint32_t i = 0; i < hashes.size(); ++i) {
        ASSERT_TRUE(index.holds(hashes[i], i + 1));
      }
      const auto [counted, marked] = index.displaced();
      EXPECT_EQ(counted, marked);
      for (uint32_t i = 0; i < hashes.size(); ++i) {
        ASSERT_TRUE(index->erase(hashes[i], i + 1));
      }
      EXPECT_TRUE(index.is_blank());
    }
  }
}

TEST(BucketIndex, AgreesWithAMapOverMillionsOfRandomChanges) {
  Index index(64);
  std::mt19937_64 random(7);
  std::unordered_map<uint32_t, uint64_t> model;
  uint32_t refused = 0;
  for (uint32_t step = 0; step < 2'000'000; ++step) {
    const auto entry = static_cast<uint32_t>(random() % 500 + 1);
    const auto known = model.find(entry);
    if (known == model.end()) {
      // Sixteen tags only, so that many entries share tag and bucket.
      const uint64_t hash = (random() % 64) | ((random() % 16) << 48);
      EXPECT_EQ(index->find(hash, [entry](uint32_t other) { return other == entry; }), 0U);
      if (index->insert(hash, entry)) {
        model.emplace(entry, hash);
      } else {
        ++refused;
      }
    } else {
      ASSERT_TRUE(index.holds(known->second, entry));
      ASSERT_TRUE(index->erase(known->second, entry));
      ASSERT_FALSE(index->erase(known->second, entry));
      model.erase(known);
    }
    if (step % 4096 == 0) {
      for (const auto& [present, hash] : model) {
        ASSERT_TRUE(index.holds(hash, present));
      }
      const auto [counted, marked] = index.displaced();
      ASSERT_EQ(counted, marked);
    }
  }
  EXPECT_LT(refused, 2000U);
}

TEST(BucketIndex, HoldsTwoBucketsOfEqualHashesAndRefusesTheNextWithoutHarm) {
  Index index(1024);
  const uint64_t hash = 0x1234'0000'0000'0055;
  const uint32_t full = 2 * Bucket::kSlots;
  for (uint32_t entry = 1; entry <= full; ++entry) {
    ASSERT_TRUE(index->insert(hash, entry));
  }
  for (uint32_t entry = full + 1; entry < full + 100; ++entry) {
    ASSERT_FALSE(index->insert(hash, entry));
  }
  for (uint32_t entry = 1; entry <= full; ++entry) {
    EXPECT_TRUE(index.holds(hash, entry));
  }
  for (uint32_t entry = 1; entry <= full; ++entry) {
    ASSERT_TRUE(index->erase(hash, entry));
    ASSERT_TRUE(index->insert(hash, entry + 1000));
    ASSERT_TRUE(index->erase(hash, entry + 1000));
  }
  EXPECT_TRUE(index.is_blank());
}

TEST(BucketIndex, MovesOthersAsideForEntriesThatAllShareOneTag) {
  // With one tag the buckets fall into pairs, the hardest case for moves: none leads out of a pair.
  Index index(256);
  const uint64_t tag = uint64_t{0xbeef} << 48;
  std::vector<uint64_t> hashes;
  for (uint32_t bucket = 0; bucket < 256; ++bucket) {
    for (uint32_t i = 0; i < Bucket::kSlots; ++i) {
      hashes.push_back(tag | bucket);
    }
  }
  std::shuffle(hashes.begin(), hashes.end(), std::mt19937_64(3));
  for (uint32_t i = 0; i < hashes.size(); ++i) {
    ASSERT_TRUE(index->insert(hashes[i], i + 1)) << "slot " << i << " of " << hashes.size();
  }
  for (uint32_t i = 0; i < hashes.size(); ++i) {
    ASSERT_TRUE(index.holds(hashes[i], i + 1));
  }
  ASSERT_FALSE(index->insert(tag | 17, 5000));  // not one slot is left
}

TEST(BucketIndex, FillsAlmostToTheLastSlotByMovesWhenFlowsCrowdOnOneBucket) {
  // All have the same primary bucket: each of the others is reached by moves over the alternatives
  // only.
  Index index(64);
  std::mt19937_64 random(11);
  std::vector<std::pair<uint64_t, uint32_t>> placed;
  for (uint32_t entry = 1; entry <= 400; ++entry) {
    const uint64_t hash = random() & ~uint64_t{63};
    if (index->insert(hash, entry)) {
      placed.emplace_back(hash, entry);
    }
  }
  // Eight in the bucket itself, and eight in each of the 32 that an odd offset leads to.
  EXPECT_GE(placed.size(), 230U);
  EXPECT_LE(placed.size(), Bucket::kSlots * 33U);
  for (const auto& [hash, entry] : placed) {
    ASSERT_TRUE(index.holds(hash, entry));
  }
}

TEST(BucketIndex, ACandidateIsAlwaysAnEntryWithTheTagOrNone) {
  Index index(128);
  std::mt19937_64 random(5);
  std::vector<uint64_t> hashes{0};
  for (uint32_t entry = 1; entry <= 800; ++entry) {
    hashes.push_back(random());
    ASSERT_TRUE(index->insert(hashes[entry], entry));
  }
  uint32_t hits = 0;
  for (uint32_t entry = 1; entry <= 800; ++entry) {
    const uint32_t candidate = index->candidate(hashes[entry]);
    ASSERT_LT(candidate, hashes.size());
    ASSERT_TRUE(candidate == 0 ||
                BucketIndex::tag_of(hashes[candidate]) == BucketIndex::tag_of(hashes[entry]));
    hits += candidate == entry ? 1 : 0;
  }
  EXPECT_GT(hits, 600U);  // most live in their primary bucket
}

TEST(BucketIndex, AHashWithoutTagBitsHasATag) {
  EXPECT_EQ(BucketIndex::tag_of(0), 1);
  EXPECT_EQ(BucketIndex::tag_of(0x0000'ffff'ffff'ffff), 1);
  EXPECT_EQ(BucketIndex::tag_of(0xffff'0000'0000'0000), 0xffff);
}

}  // namespace
}  // namespace ballast
