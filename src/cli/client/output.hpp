// What commands print: data on standard output, everything else on standard error.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace dg::cli {

enum class Colour { plain, dim, bold, red, green, yellow, cyan };

// The two outputs of a command. Colour only where the terminal shows it and NO_COLOR is not set. A
// reader that has closed its end of the pipe is no error: the rest is dropped, and open() says so.
class Output {
 public:
  explicit Output(bool json);

  bool json() const { return json_; }
  bool open() const { return open_; }

  // Writes data at once; text is not changed.
  void data(std::string_view text);
  void line(std::string_view text);
  // A remark for the person, on standard error, on lines of its own.
  void note(std::string_view text);
  // "error: …" on standard error.
  void error(std::string_view text);

  // `text` in colour for standard output, or as it is.
  std::string paint(Colour colour, std::string_view text) const;
  // `text` as it may go to a terminal: control characters that could move the cursor or change
  // settings are left out when standard output is one.
  std::string printable(std::string_view text) const;

 private:
  bool json_;
  bool open_ = true;
  bool terminal_;
  bool colour_;
};

// Columns as wide as their widest cell, two spaces between them; the first row is the header.
// Widths count code points.
std::string format_table(const std::vector<std::vector<std::string>>& rows);

// JSON text laid out over lines with two spaces per level. `json` is valid JSON.
std::string indent_json(std::string_view json);

}  // namespace dg::cli
