#include <random>

#include <gtest/gtest.h>

#include "toml_reader/duration.h"
#include "toml_reader/suggestion.h"

namespace ballast {
namespace {

using std::chrono::milliseconds;

TEST(Duration, IsAWholeNumberAndOneUnit) {
  EXPECT_EQ(parse_duration("100ms"), milliseconds(100));
  EXPECT_EQ(parse_duration("2s"), milliseconds(2000));
  EXPECT_EQ(parse_duration("5m"), milliseconds(300'000));
  EXPECT_EQ(parse_duration("1h"), milliseconds(3'600'000));
  EXPECT_EQ(parse_duration("1d"), milliseconds(86'400'000));
  EXPECT_EQ(parse_duration("0s"), milliseconds(0));
  for (const char* wrong : {"", "s", "2", "-2s", "+2s", "2 s", " 2s", "2s ", "2S", "1.5s", "1m30s",
                            "99999999999999999999s", "9223372036854775807s", "1001d", "2us"}) {
    EXPECT_FALSE(parse_duration(wrong)) << wrong;
  }
}

TEST(Duration, PrintsAsTheShortestTextThatReadsBackTheSame) {
  EXPECT_EQ(format_duration(milliseconds(90'000)), "90s");
  EXPECT_EQ(format_duration(milliseconds(900'000)), "15m");
  EXPECT_EQ(format_duration(milliseconds(1500)), "1500ms");
  EXPECT_EQ(format_duration(milliseconds(0)), "0s");
  std::mt19937_64 random(7);
  for (int round = 0; round < 10000; ++round) {
    const milliseconds duration(static_cast<int64_t>(random() % 86'400'000));
    EXPECT_EQ(parse_duration(format_duration(duration)), duration);
  }
}

TEST(EditDistance, CountsInsertionsDeletionsReplacementsAndSwaps) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("abc", ""), 3U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance("shceduler", "scheduler"), 1U);
}

TEST(EditDistance, IsSymmetricAndBoundedByTheLongerWord) {
  std::mt19937 random(11);
  const auto word = [&random] {
    std::string result(random() % 8, ' ');
    for (char& c : result) {
      c = static_cast<char>('a' + random() % 3);
    }
    return result;
  };
  for (int round = 0; round < 5000; ++round) {
    const std::string a = word();
    const std::string b = word();
    const size_t distance = edit_distance(a, b);
    EXPECT_EQ(distance, edit_distance(b, a));
    EXPECT_EQ(distance == 0, a == b);
    EXPECT_LE(distance, std::max(a.size(), b.size()));
  }
}

TEST(NearestWord, IsGivenOnlyWhenItIsNear) {
  constexpr std::string_view kKnown[] = {"name", "listen", "scheduler", "mode", "port"};
  EXPECT_EQ(nearest_word("shceduler", kKnown), "scheduler");
  EXPECT_EQ(nearest_word("listne", kKnown), "listen");
  EXPECT_EQ(nearest_word("prot", kKnown), "port");
  EXPECT_FALSE(nearest_word("weight", kKnown));
  EXPECT_FALSE(nearest_word("x", kKnown));
  EXPECT_FALSE(nearest_word("", kKnown));
  EXPECT_FALSE(nearest_word(std::string(100000, 'a'), kKnown));
}

}  // namespace
}  // namespace ballast
