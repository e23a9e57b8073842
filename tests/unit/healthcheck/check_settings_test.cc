#include "healthcheck/check_settings.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>

#include "healthcheck/checker_list.h"

namespace ballast::healthcheck {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using namespace std::chrono_literals;

CheckSettings http() {
  CheckSettings settings;
  settings.type = CheckType::kHttp;
  return settings;
}

std::string error_of(const CheckSettings& settings) {
  const auto result = validate(settings);
  return result ? "" : result.error();
}

TEST(CheckSettings, DefaultsAreValidForEveryType) {
  for (const auto name : check_type_names()) {
    CheckSettings settings;
    settings.type = *parse_check_type(name);
    EXPECT_EQ(error_of(settings), "") << name;
    EXPECT_EQ(to_string(settings.type), name);
  }
  EXPECT_EQ(parse_check_type("htpp"), std::nullopt);
  EXPECT_EQ(parse_check_type(""), std::nullopt);
}

TEST(CheckSettings, NamesTheFieldThatIsOutOfRangeAndTheRange) {
  auto with = [](auto change) {
    CheckSettings settings = http();
    change(settings);
    return error_of(settings);
  };
  EXPECT_EQ(with([](auto& s) { s.interval = 0ms; }),
            "interval: 0ms is out of range (10ms-3600000ms)");
  EXPECT_THAT(with([](auto& s) { s.interval = -1ms; }), StartsWith("interval: "));
  EXPECT_THAT(with([](auto& s) { s.timeout = 0ms; }), StartsWith("timeout: "));
  EXPECT_THAT(with([](auto& s) { s.timeout = 1h; }), StartsWith("timeout: "));
  EXPECT_EQ(with([](auto& s) { s.rise = 0; }), "rise: 0 is out of range (1-1000)");
  EXPECT_THAT(with([](auto& s) { s.fall = 1001; }), StartsWith("fall: "));
  EXPECT_THAT(with([](auto& s) { s.jitter = -0.1; }), StartsWith("jitter: "));
  EXPECT_THAT(with([](auto& s) { s.jitter = 0.6; }), StartsWith("jitter: "));
  EXPECT_THAT(with([](auto& s) { s.jitter = std::numeric_limits<double>::quiet_NaN(); }),
              StartsWith("jitter: "));
  EXPECT_THAT(with([](auto& s) { s.expect_status = StatusSet::none(); }),
              StartsWith("expect_status: "));
}

TEST(CheckSettings, RefusesWhateverWouldBreakOutOfTheRequest) {
  for (const char* text :
       {"/a b", "/a\r\nX: y", "/\n", "/\x7f", "/\xc3\xa9", "a", "", "*", "http://x/"}) {
    CheckSettings settings = http();
    settings.path = text;
    EXPECT_THAT(error_of(settings), StartsWith("path: ")) << text;
  }
  for (const char* text : {"a b", "a\r\nX: y", "a/b", "\t"}) {
    CheckSettings settings = http();
    settings.host = text;
    EXPECT_THAT(error_of(settings), StartsWith("host: ")) << text;
  }
  for (const char* text : {"", "get", "GET ", "GET\r\n", "CONNECT", "G/T"}) {
    CheckSettings settings = http();
    settings.method = text;
    EXPECT_THAT(error_of(settings), StartsWith("method: ")) << text;
  }
  CheckSettings settings = http();
  settings.path = "/" + std::string(100'000, 'a');
  EXPECT_LT(error_of(settings).size(), 200U);
}

TEST(CheckSettings, LooksAtFieldsOfHttpOnlyForHttp) {
  CheckSettings settings;
  settings.path = "";
  settings.type = CheckType::kTcp;
  EXPECT_EQ(error_of(settings), "");
}

}  // namespace
}  // namespace ballast::healthcheck
