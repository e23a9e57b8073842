// A TOML file, parsed: owns the tree that TomlTable (toml_table.h) reads.
//
//   auto document = TomlDocument::read_file("conf/ballast.toml");
//   if (!document) return document.error();                  // "conf/ballast.toml:3:9: ..." or
//   "...: no such file" TomlReport report(document->file()); TomlTable root =
//   document->root(report);
//   ... read, then root.finish(); report.errors() ...
//
// Files are bounded: 16 MiB, and see toml_bounds.h. The TOML parser behind this is toml++, which no
// header of ours includes and whose exceptions end in toml_document.cc.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "toml_reader/toml_node.h"
#include "toml_reader/toml_report.h"
#include "toml_reader/toml_table.h"

namespace ballast {

class TomlDocument {
 public:
  static constexpr size_t kLargestFile = 16U << 20U;

  // The error is one line, ready to be shown, with the file's name.
  static tl::expected<TomlDocument, std::string> read_file(const std::string& path);
  static tl::expected<TomlDocument, std::string> parse(std::string_view text, std::string file);

  [[nodiscard]] const std::string& file() const { return file_; }

  // Both the document and the report must outlive the table and all that is read from it.
  [[nodiscard]] TomlTable root(TomlReport& report) const { return {*root_, report, ""}; }

 private:
  TomlDocument(std::string file, std::unique_ptr<const TomlNode> root)
      : file_(std::move(file)), root_(std::move(root)) {}

  std::string file_;
  std::unique_ptr<const TomlNode>
      root_;  // on the heap: its address survives a move of the document
};

}  // namespace ballast
