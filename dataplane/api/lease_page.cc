#include "dataplane/api/lease_page.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ballast {
namespace {

std::string failure(const std::string& path, std::string_view what, int error) {
  return fmt::format("lease page {}: {}: {}", path, what, std::strerror(error));
}

// The mapping of an open file; the descriptor is closed either way.
tl::expected<void*, int> map_and_close(int descriptor) {
  void* memory =
      mmap(nullptr, sizeof(LeasePage), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  const int error = errno;
  close(descriptor);
  if (memory == MAP_FAILED) {
    return tl::unexpected(error);
  }
  return memory;
}

}  // namespace

tl::expected<LeasePageMapping, std::string> LeasePageMapping::create(const std::string& path) {
  // A fresh file under a name of its own, renamed when it is whole: nobody ever opens half a page,
  // and whoever still maps the former file keeps that one and cannot renew a lease of this process.
  std::string temporary = path + ".XXXXXX";
  const int descriptor = mkostemp(temporary.data(), O_CLOEXEC);
  if (descriptor < 0) {
    return tl::unexpected(failure(path, "cannot be created", errno));
  }
  if (ftruncate(descriptor, sizeof(LeasePage)) != 0) {
    const int error = errno;
    close(descriptor);
    unlink(temporary.c_str());
    return tl::unexpected(failure(path, "cannot be sized", error));
  }
  const auto memory = map_and_close(descriptor);
  if (!memory) {
    unlink(temporary.c_str());
    return tl::unexpected(failure(path, "cannot be mapped", memory.error()));
  }
  LeasePageMapping mapping(new (*memory) LeasePage{});
  mapping.page().hold_forever(0);
  mapping.page().magic.store(LeasePage::kMagic, std::memory_order_release);
  if (rename(temporary.c_str(), path.c_str()) != 0) {
    const int error = errno;
    unlink(temporary.c_str());
    return tl::unexpected(failure(path, "cannot be put in place", error));
  }
  return mapping;
}

tl::expected<LeasePageMapping, std::string> LeasePageMapping::open(const std::string& path) {
  // O_NONBLOCK: a FIFO of this name must not hang the caller.
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (descriptor < 0) {
    return tl::unexpected(failure(path, "cannot be opened", errno));
  }
  struct stat status {};
  if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    close(descriptor);
    return tl::unexpected(fmt::format("lease page {}: not a regular file", path));
  }
  if (status.st_size != static_cast<off_t>(sizeof(LeasePage))) {
    close(descriptor);
    return tl::unexpected(fmt::format("lease page {}: has {} bytes: a page of this version has {}",
                                      path, status.st_size, sizeof(LeasePage)));
  }
  const auto memory = map_and_close(descriptor);
  if (!memory) {
    return tl::unexpected(failure(path, "cannot be mapped", memory.error()));
  }
  LeasePageMapping mapping(static_cast<LeasePage*>(*memory));
  const uint64_t magic = mapping.page().magic.load(std::memory_order_acquire);
  if (magic != LeasePage::kMagic) {
    return tl::unexpected(fmt::format("lease page {}: begins with {:#018x}: {:#018x} is expected",
                                      path, magic, LeasePage::kMagic));
  }
  return mapping;
}

LeasePageMapping::LeasePageMapping(LeasePageMapping&& other) noexcept
    : page_(std::exchange(other.page_, nullptr)) {}

LeasePageMapping& LeasePageMapping::operator=(LeasePageMapping&& other) noexcept {
  std::swap(page_, other.page_);  // what this one mapped goes with `other`
  return *this;
}

LeasePageMapping::~LeasePageMapping() {
  if (page_ != nullptr) {
    munmap(page_, sizeof(LeasePage));
  }
}

}  // namespace ballast
