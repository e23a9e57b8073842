#include "dataplane/connection/table_memory.h"

#include <cstdint>
#include <cstring>
#include <system_error>

#include <gtest/gtest.h>

namespace ballast {
namespace {

TEST(TableMemory, BlocksOfEverySizeAreAlignedZeroedAndWritable) {
  TableMemory& memory = process_memory();
  for (const size_t bytes :
       {size_t{1}, size_t{64}, size_t{4096}, size_t{100'000}, size_t{5} << 20}) {
    auto* block = static_cast<uint8_t*>(memory.allocate(bytes));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % 64, 0U);
    EXPECT_EQ(block[0], 0);
    EXPECT_EQ(std::memcmp(block, block + 1, bytes - 1), 0);
    std::memset(block, 0xff, bytes);
    memory.free(block);
  }
  memory.free(nullptr);
}

TEST(TableMemory, SaysHowMuchWasAskedForWhenThereIsNone) {
  for (const size_t bytes : {SIZE_MAX / 4, SIZE_MAX - 100}) {
    try {
      process_memory().allocate(bytes);
      FAIL() << "half the address space was given";
    } catch (const std::system_error& error) {
      EXPECT_NE(std::string(error.what()).find(std::to_string(bytes)), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace ballast
