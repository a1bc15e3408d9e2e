#include "cli/client/output.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "base/json.hpp"

namespace dg::cli {
namespace {

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool is_set(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

std::string_view code_of(Colour colour) {
  switch (colour) {
    case Colour::plain:
      return "";
    case Colour::dim:
      return "\033[2m";
    case Colour::bold:
      return "\033[1m";
    case Colour::red:
      return "\033[31m";
    case Colour::green:
      return "\033[32m";
    case Colour::yellow:
      return "\033[33m";
    case Colour::cyan:
      return "\033[36m";
  }
  return "";
}

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u; }));
}

void indent(json::View value, std::size_t depth, std::string& out) {
  const auto new_line = [&](std::size_t level) { out.append("\n").append(level * 2, ' '); };
  bool first = true;
  const auto separate = [&] {
    if (!first) out += ',';
    first = false;
    new_line(depth + 1);
  };
  if (value.is_object()) {
    out += '{';
    for (const auto& member : value.members()) {
      separate();
      out.append(json::quote(member.key)).append(": ");
      indent(member.value, depth + 1, out);
    }
    if (!first) new_line(depth);
    out += '}';
  } else if (value.is_array()) {
    out += '[';
    for (const auto& element : value.elements()) {
      separate();
      indent(element, depth + 1, out);
    }
    if (!first) new_line(depth);
    out += ']';
  } else {
    out += value.raw();
  }
}

}  // namespace

Output::Output(bool json)
    : json_(json),
      terminal_(::isatty(STDOUT_FILENO) == 1),
      colour_(terminal_ && !json && !is_set("NO_COLOR")) {
  const char* term = std::getenv("TERM");
  if (term != nullptr && std::string_view(term) == "dumb") colour_ = false;
}

void Output::data(std::string_view text) {
  if (open_) open_ = write_all(STDOUT_FILENO, text);
}

void Output::line(std::string_view text) {
  data(std::string(text) + "\n");
}

void Output::note(std::string_view text) {
  write_all(STDERR_FILENO, printable(text) + "\n");
}

void Output::error(std::string_view text) {
  note("error: " + std::string(text));
}

std::string Output::paint(Colour colour, std::string_view text) const {
  if (!colour_ || colour == Colour::plain) return std::string(text);
  return std::string(code_of(colour)).append(text).append("\033[0m");
}

std::string Output::printable(std::string_view text) const {
  std::string out(text);
  if (!terminal_) return out;
  std::erase_if(out, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7F;
  });
  // The C1 controls, U+0080 to U+009F, are two bytes in UTF-8.
  for (std::size_t at = 0; (at = out.find('\xC2', at)) != std::string::npos;) {
    if (at + 1 < out.size() && static_cast<unsigned char>(out[at + 1]) < 0xA0) {
      out.erase(at, 2);
    } else {
      ++at;
    }
  }
  return out;
}

std::string format_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      out += row[i];
      if (i + 1 < row.size()) out.append(widths[i] - width_of(row[i]) + 2, ' ');
    }
    while (out.ends_with(' ')) out.pop_back();
    out += '\n';
  }
  return out;
}

std::string indent_json(std::string_view json) {
  std::string out;
  indent(json::View(json), 0, out);
  return out;
}

}  // namespace dg::cli
