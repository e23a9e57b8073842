// Who needs which entry of the NeighborTable: a transaction that names the neighbour, and each
// server whose next hop it is.
//
// An entry that nobody needs any more keeps its index until reclaim(): workers may still run on a
// snapshot that has it.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <vector>

#include "dataplane/neighbor/neighbor_table.h"

namespace ballast {

class NeighborReferences {
 public:
  explicit NeighborReferences(NeighborTable& table)
      : table_(table), references_(size_t{table.capacity()} + 1) {}

  // One more reference; kNoNeighbor, and none, when the table is full.
  NeighborIndex acquire(const NeighborTable::Key& key);
  void drop(NeighborIndex neighbor);  // kNoNeighbor is fine

  // The reference of a transaction that names the neighbour: one, however often it is named.
  NeighborIndex name(const NeighborTable::Key& key);
  void unname(const NeighborTable::Key& key);

  // Entries that are referenced.
  void visit(const std::function<void(NeighborIndex)>& visitor) const;
  // Gives back what nobody references. Only when no worker runs on an older snapshot.
  void reclaim();

  [[nodiscard]] NeighborTable& table() const { return table_; }

 private:
  NeighborTable& table_;
  std::vector<uint32_t> references_;  // by index
  std::set<NeighborIndex> named_;
  std::set<NeighborIndex> referenced_;
  std::set<NeighborIndex> unreferenced_;
};

}  // namespace ballast
