#include "control/daemon/answer_page.h"

#include <random>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace ballast::control {
namespace {

using Server = std::pair<size_t, size_t>;  // service, subscript

// Asks for page after page; `bytes` is the size of every server.
std::vector<Server> all_pages(const std::vector<size_t>& services, size_t bytes, int& pages) {
  std::vector<Server> got;
  std::string cursor;
  pages = 0;
  do {
    auto page = AnswerPage::open(true, cursor, 7);
    EXPECT_TRUE(page);
    size_t size = 0;
    for (size_t i = 0; i < services.size(); ++i) {
      const auto first = page->begin_service(services[i]);
      for (size_t j = first.value_or(services[i]); j < services[i] && page->take(j, bytes); ++j) {
        got.emplace_back(i, j);
        size += bytes;
      }
    }
    EXPECT_LE(size, std::max(AnswerPage::kBytes, bytes));
    EXPECT_NE(page->next_cursor(), cursor.empty() ? "?" : cursor) << "no progress";
    cursor = page->next_cursor();
    ++pages;
  } while (!cursor.empty() && pages < 1000);
  return got;
}

TEST(AnswerPage, GivesEveryServerOnceAndInOrder) {
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    std::vector<size_t> services(1 + random() % 6);
    std::vector<Server> wanted;
    for (size_t i = 0; i < services.size(); ++i) {
      services[i] = random() % 4 == 0 ? 0 : random() % 40;
      for (size_t j = 0; j < services[i]; ++j) {
        wanted.emplace_back(i, j);
      }
    }
    const size_t bytes = AnswerPage::kBytes / (1 + random() % 12);
    int pages = 0;
    ASSERT_EQ(all_pages(services, bytes, pages), wanted);
  }
}

TEST(AnswerPage, IsOneWhenEverythingFitsOrNobodyAskedForPages) {
  int pages = 0;
  EXPECT_EQ(all_pages({3, 0, 2}, 100, pages).size(), 5U);
  EXPECT_EQ(pages, 1);
  auto whole = AnswerPage::open(false, "", 7);
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->begin_service(2), 0U);
  EXPECT_TRUE(whole->take(0, AnswerPage::kBytes));
  EXPECT_TRUE(whole->take(1, AnswerPage::kBytes));
  EXPECT_EQ(whole->next_cursor(), "");
}

TEST(AnswerPage, RefusesCursorsThatMeanNothing) {
  for (const char* text :
       {"/", "7", "7/", "/5", "7/5x", "x/5", "-7/5", "7/-5", " 7/5", "99999999999999999999/1"}) {
    const auto page = AnswerPage::open(true, text, 7);
    ASSERT_FALSE(page) << text;
    EXPECT_EQ(page.error(), AnswerPage::Refusal::kNotACursor) << text;
  }
  const auto old = AnswerPage::open(true, "6/5", 7);
  ASSERT_FALSE(old);
  EXPECT_EQ(old.error(), AnswerPage::Refusal::kOfAnotherConfiguration);
  auto beyond = AnswerPage::open(true, "7/18446744073709551615", 7);
  ASSERT_TRUE(beyond);
  EXPECT_FALSE(beyond->begin_service(5));
  EXPECT_EQ(beyond->next_cursor(), "");
}

}  // namespace
}  // namespace ballast::control
