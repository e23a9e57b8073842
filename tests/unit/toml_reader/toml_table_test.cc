#include "toml_reader/toml_table.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "toml_reader/toml_document.h"

namespace ballast {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A document with its report; `read` gets the root table.
template <typename Read>
std::vector<std::string> errors_of(std::string_view text, Read read) {
  const auto document = TomlDocument::parse(text, "f.toml");
  EXPECT_TRUE(document) << document.error();
  if (!document) {
    return {};
  }
  TomlReport report(document->file());
  TomlTable root = document->root(report);
  read(root);
  return report.errors();
}

enum class Mode { kDr, kNat };
constexpr TomlWord<Mode> kModes[] = {{"dr", Mode::kDr}, {"nat", Mode::kNat}};

TEST(TomlTable, ReadsEveryKindOfValue) {
  EXPECT_THAT(errors_of("s='x'\ni=7\nb=true\nn=0.5\nd='100ms'\nw='nat'\na=['p','q']\n"
                        "t={k=1}\n[[r]]\nk=2\n[[r]]\nk=3",
                        [](TomlTable& root) {
                          EXPECT_EQ(root.string("s"), "x");
                          EXPECT_EQ(root.integer<uint8_t>("i", 0, 9), 7);
                          EXPECT_EQ(root.boolean("b"), true);
                          EXPECT_EQ(root.number("n", 0, 1), 0.5);
                          EXPECT_EQ(root.number("i", 0, 9), 7.0);
                          EXPECT_EQ(root.duration("d", milliseconds(1), hours(1)),
                                    milliseconds(100));
                          EXPECT_EQ(root.word("w", kModes), Mode::kNat);
                          const auto strings = root.strings("a");
                          ASSERT_TRUE(strings);
                          ASSERT_EQ(strings->size(), 2U);
                          EXPECT_EQ((*strings)[1].value, "q");
                          EXPECT_EQ((*strings)[1].where, (TomlPosition{7, 8}));
                          auto table = root.table("t");
                          ASSERT_TRUE(table);
                          EXPECT_EQ(table->integer("k", 0, 9), 1);
                          auto rows = root.tables("r");
                          ASSERT_EQ(rows.size(), 2U);
                          EXPECT_EQ(rows[1].integer("k", 0, 9), 3);
                          EXPECT_EQ(rows[1].context(), "r 2");
                          root.finish();
                        }),
              IsEmpty());
}

TEST(TomlTable, GivesNothingAndNoErrorForAbsentKeys) {
  EXPECT_THAT(errors_of("",
                        [](TomlTable& root) {
                          EXPECT_FALSE(root.string("s"));
                          EXPECT_FALSE(root.integer("i", 0, 1));
                          EXPECT_FALSE(root.boolean("b"));
                          EXPECT_FALSE(root.number("n", 0, 1));
                          EXPECT_FALSE(root.duration("d", milliseconds(0), hours(1)));
                          EXPECT_FALSE(root.word("w", kModes));
                          EXPECT_FALSE(root.strings("a"));
                          EXPECT_FALSE(root.table("t"));
                          EXPECT_TRUE(root.tables("r").empty());
                          EXPECT_FALSE(root.kind("k"));
                          EXPECT_FALSE(root.has("h"));
                          root.finish();
                        }),
              IsEmpty());
}

TEST(TomlTable, SaysWhereAndWhatWouldBeRight) {
  const auto read = [](TomlTable& root) {
    root.set_context("service \"web\"");
    root.integer<uint16_t>("port", 1, 65535);
    root.duration("interval", milliseconds(10), hours(1));
    root.word("mode", kModes);
    root.boolean("sloppy");
    root.number("jitter", 0, 0.5);
    root.strings("listen");
    root.require("name");
  };
  EXPECT_THAT(errors_of("port = 70000", read),
              ElementsAre(R"(f.toml:1:1: service "web": "name" is missing)",
                          R"(f.toml:1:8: service "web": port 70000 is out of range (1-65535))"));
  const auto second = [&](std::string_view text) { return errors_of(text, read).at(1); };
  EXPECT_EQ(second("port = '80'"),
            R"(f.toml:1:8: service "web": port must be an integer (1-65535), not a string)");
  EXPECT_EQ(second("interval = 5"),
            R"(f.toml:1:12: service "web": interval must be a duration such as "500ms", "2s", )"
            R"("5m" or "1h", not an integer)");
  EXPECT_EQ(second("interval = '5 s'"),
            R"(f.toml:1:12: service "web": interval "5 s" is not a duration: write it as "500ms", )"
            R"("2s", "5m" or "1h")");
  EXPECT_EQ(second("interval = '2h'"),
            R"(f.toml:1:12: service "web": interval "2h" is out of range (10ms-1h))");
  EXPECT_EQ(second("mode = 'nta'"),
            R"(f.toml:1:8: service "web": mode "nta" is not one of dr, nat: did you mean "nat"?)");
  EXPECT_EQ(second("sloppy = 1"),
            R"(f.toml:1:10: service "web": sloppy must be true or false, not an integer)");
  EXPECT_EQ(second("jitter = 0.75"),
            R"(f.toml:1:10: service "web": jitter 0.75 is out of range (0-0.5))");
  EXPECT_EQ(second("jitter = nan"),
            R"(f.toml:1:10: service "web": jitter nan is out of range (0-0.5))");
  EXPECT_EQ(second("listen = ['a', 1979-05-27]"),
            R"(f.toml:1:16: service "web": each element of listen must be a string, )"
            "not a date or time");
}

TEST(TomlTable, RefusesTablesOfTheWrongShape) {
  EXPECT_THAT(
      errors_of("t = 1\nr = {}\nq = [{}, 2]",
                [](TomlTable& root) {
                  EXPECT_FALSE(root.table("t"));
                  EXPECT_TRUE(root.tables("r").empty());
                  EXPECT_EQ(root.tables("q").size(), 1U);
                }),
      ElementsAre("f.toml:1:5: t must be a table: [t] or t = { ... }, not an integer",
                  "f.toml:2:5: r must be an array of tables: [[r]] or r = [{ ... }], not a table",
                  "f.toml:3:10: each element of q must be a table: { ... }, not an integer"));
}

TEST(TomlTable, RefusesUnknownKeysAndSuggestsTheNearest) {
  EXPECT_THAT(errors_of("shceduler = 'rr'\n\"bad\\u001bkey\" = 1\nzzz = 2\n",
                        [](TomlTable& root) {
                          root.set_context("service \"web\"");
                          root.string("scheduler");
                          root.string("mode");
                          root.finish();
                        }),
              ElementsAre(R"(f.toml:1:1: service "web": unknown key "shceduler": did you mean )"
                          R"("scheduler"?)",
                          R"(f.toml:2:1: service "web": unknown key "bad\x1bkey")",
                          R"(f.toml:3:1: service "web": unknown key "zzz")"));
}

TEST(TomlTable, ReadsIntegersUpToTheirLimits) {
  EXPECT_THAT(
      errors_of("low = -9223372036854775808\nhigh = 9223372036854775807",
                [](TomlTable& root) {
                  using Limits = std::numeric_limits<int64_t>;
                  EXPECT_EQ(root.integer("low", Limits::min(), Limits::max()), Limits::min());
                  EXPECT_EQ(root.integer("high", Limits::min(), Limits::max()), Limits::max());
                }),
      IsEmpty());
}

TEST(TomlReport, KeepsFiftyErrorsInTheOrderOfTheFileAndCountsTheRest) {
  TomlReport report("f.toml");
  for (uint32_t line = 120; line > 0; --line) {
    report.error({line, 1}, "bad");
  }
  const auto errors = report.errors();
  ASSERT_EQ(errors.size(), TomlReport::kMostFindings + 1);
  EXPECT_EQ(errors.front(), "f.toml:71:1: bad");
  EXPECT_EQ(errors.back(), "f.toml: and 70 more");
  EXPECT_THAT(report.warnings(), IsEmpty());
}

TEST(TomlReport, WarningsAreNotErrors) {
  TomlReport report("f.toml");
  report.warning({}, "odd");
  EXPECT_FALSE(report.has_errors());
  EXPECT_THAT(report.warnings(), ElementsAre("f.toml: odd"));
}

TEST(Quote, LeavesNothingThatCouldDriveATerminal) {
  EXPECT_EQ(quote("a\"b\\c\n\x1b[31m\x7f"), R"("a\"b\\c\x0a\x1b[31m\x7f")");
  EXPECT_THAT(quote(std::string(5000, 'x')), HasSubstr("x...\""));
  EXPECT_LT(quote(std::string(5000, 'x')).size(), 110U);
  // Cut off between characters, not inside of one.
  EXPECT_EQ(quote("x" + std::string(33, 'y') + std::string(33, 'y') + std::string(32, 'y') +
                  "\xe2\x82\xac" + "more"),
            "\"x" + std::string(98, 'y') + "...\"");
}

}  // namespace
}  // namespace ballast
