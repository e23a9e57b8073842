// The one door to a header inside a frame.
//
// A PacketView is a borrowed range of a frame's bytes. header_at<H>() gives a pointer to a wire
// struct, or null when it does not fit; nothing else in the dataplane turns bytes into headers.
// `size()` is what lies contiguously in memory (the first segment of a chained buffer),
// `frame_size()` the length of the whole frame.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>

namespace ballast {

class PacketView {
 public:
  PacketView(uint8_t* data, size_t size, size_t frame_size)
      : data_(data),
        size_(static_cast<uint32_t>(size)),
        frame_size_(static_cast<uint32_t>(frame_size)) {
    assert(frame_size >= size && frame_size <= UINT32_MAX);
  }
  PacketView(uint8_t* data, size_t size) : PacketView(data, size, size) {}

  [[nodiscard]] uint8_t* data() const { return data_; }
  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] size_t frame_size() const { return frame_size_; }

  template <typename Header>
  [[nodiscard]] Header* header_at(size_t offset) const {
    static_assert(alignof(Header) == 1, "wire structs hold bytes and Big types only");
    if (offset > size_ || size_ - offset < sizeof(Header)) {
      return nullptr;
    }
    return reinterpret_cast<Header*>(data_ + offset);
  }

 private:
  uint8_t* data_;
  uint32_t size_;  // two words in all: a view is passed in registers
  uint32_t frame_size_;
};

}  // namespace ballast
