// Path-compressed radix tree. A node stands for a prefix; its children are longer prefixes below
// it, one for each value of the first bit behind it. A node without a route exists only to fork, so
// it has two children: there are fewer than twice as many nodes as routes, and a path has at most
// 33 (IPv4) or 129 (IPv6) of them.
#include "dataplane/neighbor/route_table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstring>
#include <utility>

namespace ballast {
namespace {

// An address as bits to be compared 64 at a time, the first in the highest place. IPv4 has its 32
// in front.
struct Bits {
  uint64_t high = 0;
  uint64_t low = 0;
};

uint64_t big_endian_word(const uint8_t* bytes) {
  uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof word);
  return __builtin_bswap64(word);
}

Bits bits_of(const IpAddress& address) {
  const uint8_t* bytes = address.bytes().data();
  if (address.is_v4()) {
    return {big_endian_word(bytes + 8) << 32, 0};
  }
  return {big_endian_word(bytes), big_endian_word(bytes + 8)};
}

// How many leading bits are the same, 0..128.
unsigned common_bits(const Bits& a, const Bits& b) {
  const uint64_t high = a.high ^ b.high;
  return static_cast<unsigned>(high != 0 ? std::countl_zero(high)
                                         : 64 + std::countl_zero(a.low ^ b.low));
}

// The bit behind the first `position` ones; position < 128.
unsigned bit_at(const Bits& bits, unsigned position) {
  const uint64_t word = position < 64 ? bits.high : bits.low;
  return static_cast<unsigned>(word >> (63 - position % 64)) & 1;
}

// Spreads whatever entropy `spread` has over all 64 bits (finalizer of splitmix64), so that a
// 32-bit hash will do.
uint64_t mixed(uint64_t spread) {
  spread = (spread ^ (spread >> 30)) * 0xbf58476d1ce4e5b9ULL;
  spread = (spread ^ (spread >> 27)) * 0x94d049bb133111ebULL;
  return spread ^ (spread >> 31);
}

}  // namespace

struct RouteTable::Node {
  using Pointer = std::shared_ptr<const Node>;

  Bits bits;  // those behind `length` mean nothing
  unsigned length = 0;
  std::shared_ptr<const Route> route;  // null: only a fork
  std::array<Pointer, 2> children;

  static Pointer leaf(const Bits& bits, std::shared_ptr<const Route> route) {
    auto node = std::make_shared<Node>();
    node->bits = bits;
    node->length = route->prefix.length;
    node->route = std::move(route);
    return node;
  }
};

namespace {

// The nodes from the root down to where a change is made, with the side that was taken at each.
template <typename Pointer>
struct Path {
  static constexpr size_t kDeepest = 129;
  struct Step {
    const Pointer* node;
    unsigned side;
  };
  std::array<Step, kDeepest> steps;
  size_t depth = 0;

  void push(const Pointer* node, unsigned side) { steps[depth++] = {node, side}; }
};

// The root after `changed` has taken the place below the path: copies the nodes of the path, shares
// all else.
template <typename Node>
std::shared_ptr<const Node> rebuilt(const Path<std::shared_ptr<const Node>>& path, size_t depth,
                                    std::shared_ptr<const Node> changed) {
  while (depth > 0) {
    const auto& step = path.steps[--depth];
    auto copy = std::make_shared<Node>(**step.node);
    copy->children[step.side] = std::move(changed);
    changed = std::move(copy);
  }
  return changed;
}

}  // namespace

RouteTable::RouteTable() = default;
RouteTable::~RouteTable() = default;
RouteTable::RouteTable(const RouteTable&) = default;
RouteTable& RouteTable::operator=(const RouteTable&) = default;

RouteTable RouteTable::with(Route route) const {
  const bool is_v4 = route.prefix.address.is_v4();
  const unsigned length = route.prefix.length;
  assert(length <= (is_v4 ? 32U : 128U));
  const Bits bits = bits_of(route.prefix.address);
  const Node::Pointer added = Node::leaf(bits, std::make_shared<const Route>(std::move(route)));

  Path<Node::Pointer> path;
  const Node::Pointer* at = is_v4 ? &ipv4_ : &ipv6_;
  unsigned common = 0;
  while (*at != nullptr) {
    common = std::min({common_bits(bits, (*at)->bits), (*at)->length, length});
    if (common < (*at)->length || common == length) {
      break;
    }
    const unsigned side = bit_at(bits, common);
    path.push(at, side);
    at = &(*at)->children[side];
  }

  Node::Pointer changed = added;
  bool replaces = false;
  if (*at != nullptr) {
    auto node = std::make_shared<Node>(*added);
    if (common == (*at)->length) {  // the same prefix
      replaces = (*at)->route != nullptr;
      node->children = (*at)->children;
    } else if (common == length) {  // above it
      node->children[bit_at((*at)->bits, common)] = *at;
    } else {  // beside it, below a new fork
      node->length = common;
      node->route = nullptr;
      node->children[bit_at(bits, common)] = added;
      node->children[bit_at((*at)->bits, common)] = *at;
    }
    changed = std::move(node);
  }

  RouteTable result(*this);
  (is_v4 ? result.ipv4_ : result.ipv6_) = rebuilt<Node>(path, path.depth, std::move(changed));
  result.size_ += replaces ? 0 : 1;
  return result;
}

RouteTable RouteTable::without(const Prefix& prefix) const {
  const bool is_v4 = prefix.address.is_v4();
  const Bits bits = bits_of(prefix.address);

  Path<Node::Pointer> path;
  const Node::Pointer* at = is_v4 ? &ipv4_ : &ipv6_;
  while (*at != nullptr && (*at)->length < prefix.length &&
         common_bits(bits, (*at)->bits) >= (*at)->length) {
    const unsigned side = bit_at(bits, (*at)->length);
    path.push(at, side);
    at = &(*at)->children[side];
  }
  if (*at == nullptr || (*at)->length != prefix.length || (*at)->route == nullptr ||
      common_bits(bits, (*at)->bits) < prefix.length) {
    return *this;
  }

  const auto& [left, right] = (*at)->children;
  Node::Pointer changed = left != nullptr ? left : right;
  size_t depth = path.depth;
  if (left != nullptr && right != nullptr) {  // still needed as a fork
    auto fork = std::make_shared<Node>(**at);
    fork->route = nullptr;
    changed = std::move(fork);
  } else if (changed == nullptr && depth > 0) {
    const auto& above = path.steps[depth - 1];
    if ((*above.node)->route == nullptr) {  // a fork with one side left is none
      changed = (*above.node)->children[1 - above.side];
      --depth;
    }
  }

  RouteTable result(*this);
  (is_v4 ? result.ipv4_ : result.ipv6_) = rebuilt<Node>(path, depth, std::move(changed));
  --result.size_;
  return result;
}

const Route* RouteTable::at(const Prefix& prefix) const {
  const bool is_v4 = prefix.address.is_v4();
  const Bits bits = bits_of(prefix.address);
  const Node* node = (is_v4 ? ipv4_ : ipv6_).get();
  while (node != nullptr && node->length < prefix.length &&
         common_bits(bits, node->bits) >= node->length) {
    node = node->children[bit_at(bits, node->length)].get();
  }
  const bool same = node != nullptr && node->length == prefix.length &&
                    common_bits(bits, node->bits) >= prefix.length;
  return same ? node->route.get() : nullptr;
}

const Route* RouteTable::find(const IpAddress& destination) const {
  const bool is_v4 = destination.is_v4();
  const unsigned width = is_v4 ? 32 : 128;
  const Bits bits = bits_of(destination);
  const Route* best = nullptr;
  const Node* node = (is_v4 ? ipv4_ : ipv6_).get();
  while (node != nullptr && common_bits(bits, node->bits) >= node->length) {
    if (node->route != nullptr) {
      best = node->route.get();
    }
    if (node->length == width) {
      break;
    }
    node = node->children[bit_at(bits, node->length)].get();
  }
  return best;
}

const RouteHop* RouteTable::next_hop(const IpAddress& destination, uint64_t spread) const {
  const Route* route = find(destination);
  if (route == nullptr || route->hops.empty()) {
    return nullptr;
  }
  uint64_t total = 0;
  for (const RouteHop& hop : route->hops) {
    total += hop.weight;
  }
  // The hash as a fraction of 1, times the total.
  __extension__ using Wide = unsigned __int128;
  auto chosen = static_cast<uint64_t>((static_cast<Wide>(mixed(spread)) * total) >> 64);
  for (const RouteHop& hop : route->hops) {
    if (chosen < hop.weight) {
      return &hop;
    }
    chosen -= hop.weight;
  }
  return &route->hops.front();  // all weights are zero
}

size_t RouteTable::size() const {
  return size_;
}

std::vector<Route> RouteTable::all() const {
  std::vector<Route> routes;
  routes.reserve(size_);
  for (const Node* root : {ipv4_.get(), ipv6_.get()}) {
    std::vector<const Node*> waiting;
    if (root != nullptr) {
      waiting.push_back(root);
    }
    while (!waiting.empty()) {  // depth first, left before right: in order of prefix
      const Node* node = waiting.back();
      waiting.pop_back();
      if (node->route != nullptr) {
        routes.push_back(*node->route);
      }
      for (const unsigned side : {1U, 0U}) {
        if (node->children[side] != nullptr) {
          waiting.push_back(node->children[side].get());
        }
      }
    }
  }
  return routes;
}

}  // namespace ballast
