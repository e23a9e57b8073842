#include "healthcheck/status_set.h"

#include <random>
#include <set>

#include <gmock/gmock.h>

namespace ballast::healthcheck {
namespace {

using ::testing::HasSubstr;

TEST(StatusSet, IsAllOf2xxUnlessSaidOtherwise) {
  const StatusSet set;
  for (int status = -1; status < 1000; ++status) {
    EXPECT_EQ(set.contains(status), status >= 200 && status <= 299) << status;
  }
  EXPECT_EQ(set.to_string(), "200-299");
}

TEST(StatusSet, HoldsSinglesAndRangesAndNothingElse) {
  const auto set = StatusSet::parse("200-204, 301 ,\t404 - 405,599,100");
  ASSERT_TRUE(set) << set.error();
  const std::set<int> expected{100, 200, 201, 202, 203, 204, 301, 404, 405, 599};
  for (int status = -1000; status < 2000; ++status) {
    EXPECT_EQ(set->contains(status), expected.contains(status)) << status;
  }
}

TEST(StatusSet, PrintsOneFormForAllWaysToWriteIt) {
  EXPECT_EQ(StatusSet::parse("301,200-250,240-299,300")->to_string(), "200-301");
  EXPECT_EQ(*StatusSet::parse("200,201,202"), *StatusSet::parse("200-202"));
  EXPECT_NE(*StatusSet::parse("200,202"), *StatusSet::parse("200-202"));
  EXPECT_EQ(StatusSet::parse("100-599")->to_string(), "100-599");
  EXPECT_EQ(StatusSet::parse("599")->to_string(), "599");
}

TEST(StatusSet, SaysWhatIsWrong) {
  EXPECT_THAT(StatusSet::parse("").error(), HasSubstr("missing"));
  EXPECT_THAT(StatusSet::parse("200,").error(), HasSubstr("missing"));
  EXPECT_THAT(StatusSet::parse("200-").error(), HasSubstr("missing"));
  EXPECT_EQ(StatusSet::parse("2xx").error(), "\"2xx\" is not an HTTP status (100-599)");
  EXPECT_EQ(StatusSet::parse("99").error(), "\"99\" is not an HTTP status (100-599)");
  EXPECT_EQ(StatusSet::parse("200-600").error(), "\"600\" is not an HTTP status (100-599)");
  EXPECT_EQ(StatusSet::parse("299-200").error(), "the range 299-200 is backwards; write 200-299");
  for (const char* text :
       {"-200", "+200", "0200", "200 201", "200--201", "200-201-202", "1e2", ","}) {
    EXPECT_FALSE(StatusSet::parse(text)) << text;
  }
  EXPECT_LT(StatusSet::parse(std::string(100'000, 'x')).error().size(), 120U);
}

TEST(StatusSet, ReadsBackWhatItPrintsAndNeverTakesGarbageForMore) {
  std::mt19937 random(1);
  static constexpr std::string_view kAlphabet = "0123456789,,,-- \tx\n\0\xff";
  int accepted = 0;
  for (int round = 0; round < 200'000; ++round) {
    std::string text;
    const size_t length = random() % 16;
    for (size_t index = 0; index < length; ++index) {
      text += random() % 3 == 0 ? kAlphabet[random() % kAlphabet.size()]
                                : static_cast<char>('0' + random() % 6);
    }
    const auto set = StatusSet::parse(text);
    if (!set) {
      ASSERT_FALSE(set.error().empty());
      continue;
    }
    ++accepted;
    const auto again = StatusSet::parse(set->to_string());
    ASSERT_TRUE(again) << text;
    ASSERT_EQ(*again, *set) << text;
  }
  EXPECT_GT(accepted, 100);
}

}  // namespace
}  // namespace ballast::healthcheck
