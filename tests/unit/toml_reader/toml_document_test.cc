#include "toml_reader/toml_document.h"

#include <filesystem>
#include <fstream>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ballast {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class TomlFile : public testing::Test {
 protected:
  TomlFile() {
    std::string name = (std::filesystem::temp_directory_path() / "ballast-toml-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  ~TomlFile() override { std::filesystem::remove_all(directory_); }

  std::filesystem::path directory_;
};

TEST_F(TomlFile, IsReadWithPositionsOfKeysAndValues) {
  const std::string path = directory_ / "f.toml";
  std::ofstream(path) << "\xef\xbb\xbf# with a byte order mark\r\n[a]\r\n  b = 5\r\n";
  const auto document = TomlDocument::read_file(path);
  ASSERT_TRUE(document) << document.error();
  TomlReport report(document->file());
  auto a = document->root(report).table("a");
  ASSERT_TRUE(a);
  EXPECT_EQ(a->where("b"), (TomlPosition{3, 7}));
  EXPECT_EQ(a->where("absent"), (TomlPosition{2, 1}));
}

TEST_F(TomlFile, ThatIsMissingGivesASentence) {
  const std::string path = directory_ / "none.toml";
  EXPECT_EQ(TomlDocument::read_file(path).error(),
            path + ": cannot be opened: No such file or directory");
}

TEST_F(TomlFile, ThatIsADirectoryGivesASentence) {
  EXPECT_EQ(TomlDocument::read_file(directory_.string()).error(),
            directory_.string() + ": is a directory, not a file");
}

TEST_F(TomlFile, ThatIsAFifoDoesNotBlock) {
  const std::string path = directory_ / "fifo";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_TRUE(TomlDocument::read_file(path));  // without a writer it reads as empty
}

TEST_F(TomlFile, ThatIsTooLargeIsRefusedUnread) {
  const std::string path = directory_ / "large.toml";
  std::ofstream(path).close();
  ASSERT_EQ(::truncate(path.c_str(), TomlDocument::kLargestFile + 1), 0);
  EXPECT_THAT(TomlDocument::read_file(path).error(), HasSubstr("larger than 16 MiB"));
  // One that claims no size, but never ends.
  EXPECT_THAT(TomlDocument::read_file("/dev/zero").error(), HasSubstr("larger than 16 MiB"));
}

TEST(TomlDocument, GivesSyntaxErrorsALineAndAColumn) {
  EXPECT_THAT(TomlDocument::parse("a = 1\nb = = 2\n", "f.toml").error(),
              StartsWith("f.toml:2:5: syntax error: "));
  EXPECT_THAT(TomlDocument::parse("a = 1\na = 2\n", "f.toml").error(),
              StartsWith("f.toml:2:5: syntax error: "));
  EXPECT_THAT(TomlDocument::parse("a = \"\xff\"\n", "f.toml").error(), StartsWith("f.toml:1:"));
  EXPECT_THAT(TomlDocument::parse(std::string_view("a\0b", 3), "f.toml").error(),
              StartsWith("f.toml:1:2: "));
}

TEST(TomlDocument, TurnsAssertionsOfTheParserIntoErrorsWithTheirLine) {
  EXPECT_EQ(TomlDocument::parse("[=]", "f.toml").error(),
            "f.toml:1:1: syntax error: malformed key or table header");
  EXPECT_EQ(TomlDocument::parse("a = 1\n\n[b]\n[ = ]\nc = 2\n[=]", "f.toml").error(),
            "f.toml:4:1: syntax error: malformed key or table header");
}

TEST(TomlDocument, RefusesWhatIsBeyondAsciiOutsideOfStringsAndComments) {
  EXPECT_EQ(TomlDocument::parse("a = 1\nie\xef\xbb\xb7", "f.toml").error(),
            "f.toml:2:3: syntax error: a character beyond ASCII outside of quotes and comments");
  EXPECT_TRUE(TomlDocument::parse("# \u00e9\na = '\u00e9'\n\"\u00e9\" = 1", "f.toml"));
}

TEST(TomlDocument, BoundsWhatWouldRecurseOrGrow) {
  const auto error = [](const std::string& text) {
    const auto document = TomlDocument::parse(text, "f.toml");
    return document ? "" : document.error();
  };
  const auto repeated = [](std::string_view part, size_t count) {
    std::string result;
    for (size_t i = 0; i < count; ++i) {
      result += part;
    }
    return result;
  };
  EXPECT_EQ(error("a = " + repeated("[", 16) + repeated("]", 16)), "");
  EXPECT_EQ(error("a = " + repeated("[", 100000)),
            "f.toml:1:21: values are nested more than 16 deep");
  EXPECT_EQ(error(repeated("a.", 15) + "a = 1"), "");
  EXPECT_EQ(error("#\n" + repeated("a.", 1000000) + "a = 1"),
            "f.toml:2:32: a key has more than 16 parts");
  EXPECT_EQ(error("[" + repeated("\"a\" . ", 1000) + "a]"),
            "f.toml:1:96: a key has more than 16 parts");
  EXPECT_THAT(error("a = [" + repeated("1,", 1000001) + "]"),
              HasSubstr("more than 1000000 values"));
  EXPECT_THAT(error("a = [" + repeated("1.5,", 200001) + "]"), HasSubstr("dotted keys"));
  EXPECT_THAT(error(repeated("[[a]]\n", 200001)), HasSubstr("more than 200000 table headers"));
}

TEST(TomlDocument, CountsNothingInsideStringsAndComments) {
  const std::string dots(100, '.');
  const std::string brackets(100, '[');
  for (const std::string& noise : {dots, brackets}) {
    for (const std::string& text :
         {"# " + noise + "\na=1", "a = \"\\\"" + noise + "\"", "a = '\\" + noise + "'",
          "a = \"\"\"\n\"\"" + noise + "\\\"\"\" \"\"\"\"\"", "a = '''\n''" + noise + "'''''"}) {
      const auto document = TomlDocument::parse(text, "f.toml");
      EXPECT_TRUE(document) << text << ": " << document.error();
    }
  }
}

TEST(TomlDocument, SurvivesEveryTruncationAndRandomDamage) {
  const std::string text =
      "[daemon]\nx = \"a\\u00e9\\n\"\n[[service]]\nname = 'w'\nt = { a = 1.5e3, b.c = [1, 0x1f, "
      "true] }\nd = 1979-05-27T07:32:00Z\nm = \"\"\"x\\\n  y\"\"\"\n\"q.r\" = +inf\n";
  ASSERT_TRUE(TomlDocument::parse(text, "f"));
  for (size_t length = 0; length < text.size(); ++length) {
    (void)TomlDocument::parse(std::string_view(text).substr(0, length), "f");
  }
  std::mt19937 random(20240607);
  for (int round = 0; round < 20000; ++round) {
    std::string damaged = text;
    for (int edits = 1 + static_cast<int>(random() % 4); edits > 0; --edits) {
      damaged[random() % damaged.size()] = static_cast<char>(random() % 256);
    }
    const auto document = TomlDocument::parse(damaged, "f");
    if (!document) {
      EXPECT_THAT(document.error(), StartsWith("f:"));
      for (const char c : document.error()) {
        ASSERT_GE(static_cast<unsigned char>(c), 0x20) << document.error();
      }
    }
  }
}

}  // namespace
}  // namespace ballast
