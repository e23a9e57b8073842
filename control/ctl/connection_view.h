// `ballastctl connection list`, in the layout of ipvsadm -Lnc, page by page.
#pragma once

#include <string>
#include <vector>

#include "control/api/control.pb.h"
#include "control/ctl/style.h"

namespace ballast::control {

// A million connections are not held in memory to find out how wide a column is: columns grow when
// a later page needs it.
class ConnectionView {
 public:
  explicit ConnectionView(Style style) : style_(style) {}

  // The rows of a page; before the first ones the headings.
  std::string page(const ballast::api::Connections& connections);
  // What is to be said when there were none.
  [[nodiscard]] std::string end() const;

 private:
  Style style_;
  std::vector<size_t> widths_;
  bool headed_ = false;
};

}  // namespace ballast::control
