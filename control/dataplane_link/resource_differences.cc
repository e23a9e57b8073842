#include "control/dataplane_link/resource_differences.h"

namespace ballast::control {
namespace {

// Maps within a message may be written in any order: a difference that is none costs a needless
// upsert, no more.
bool is_same(const ballast::api::Resource& a, const ballast::api::Resource& b) {
  return a.SerializeAsString() == b.SerializeAsString();
}

}  // namespace

void put_differences(const std::set<std::string>& keys, const Resources& said,
                     const Resources& wanted, ballast::api::Transaction& transaction) {
  for (const std::string& key : keys) {
    const auto now = wanted.find(key);
    const auto before = said.find(key);
    if (now == wanted.end()) {
      if (before != said.end()) {
        *transaction.add_remove() = removal_of(before->second);
      }
    } else if (before == said.end() || !is_same(before->second, now->second)) {
      *transaction.add_upsert() = now->second;
    }
  }
}

void note_said(const std::set<std::string>& keys, const Resources& wanted, Resources& said) {
  for (const std::string& key : keys) {
    const auto now = wanted.find(key);
    if (now != wanted.end()) {
      said[key] = now->second;
    } else {
      said.erase(key);
    }
  }
}

}  // namespace ballast::control
