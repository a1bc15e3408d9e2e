#include "cli/project/dotenv.hpp"

#include <cctype>
#include <optional>
#include <tuple>
#include <utility>

namespace dg::cli {
namespace {

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  Dotenv read() {
    Dotenv out;
    while (at_ < text_.size()) {
      skip_blanks();
      if (peek() == '#' || peek() == '\n' || at_ >= text_.size()) {
        skip_line();
        continue;
      }
      auto name = read_name();
      if (name == "export" && (peek() == ' ' || peek() == '\t')) {
        skip_blanks();
        name = read_name();
      }
      skip_blanks();
      if (name.empty() || peek() != '=') {
        out.skipped.push_back("line " + std::to_string(line_) + " is not NAME=VALUE");
        skip_line();
        continue;
      }
      ++at_;
      skip_blanks();
      const auto begin = std::pair(at_, line_);
      if (auto value = read_value()) {
        if (value->contains('\0'))
          out.skipped.push_back("line " + std::to_string(begin.second) + " has a NUL in its value");
        else
          out.variables[name] = std::move(*value);
      } else {
        std::tie(at_, line_) = begin;
        out.skipped.push_back("the quote of line " + std::to_string(line_) + " is never closed");
      }
      skip_line();
    }
    return out;
  }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\n'; }
  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\r')) ++at_;
  }
  void skip_line() {
    while (at_ < text_.size() && text_[at_] != '\n') ++at_;
    ++at_;
    ++line_;
  }
  std::string read_name() {
    const auto start = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 ||
                                  text_[at_] == '_' || text_[at_] == '.' || text_[at_] == '-'))
      ++at_;
    return std::string(text_.substr(start, at_ - start));
  }
  // Nothing when a quote is not closed.
  std::optional<std::string> read_value() {
    if (peek() == '\'' || peek() == '"') return read_quoted(text_[at_++]);
    const auto start = at_;
    while (at_ < text_.size() && text_[at_] != '\n') {
      const bool comment =
          text_[at_] == '#' && at_ > start && (text_[at_ - 1] == ' ' || text_[at_ - 1] == '\t');
      if (comment) break;
      ++at_;
    }
    auto value = text_.substr(start, at_ - start);
    while (!value.empty() && std::isspace(static_cast<unsigned char>(value.back())) != 0)
      value.remove_suffix(1);
    return std::string(value);
  }
  std::optional<std::string> read_quoted(char quote) {
    std::string out;
    for (; at_ < text_.size() && text_[at_] != quote; ++at_) {
      char c = text_[at_];
      if (c == '\n') ++line_;
      if (c == '\\' && quote == '"' && at_ + 1 < text_.size()) {
        c = text_[++at_];
        if (c == 'n') c = '\n';
        if (c == 't') c = '\t';
      }
      out.push_back(c);
    }
    if (at_ >= text_.size()) return std::nullopt;
    ++at_;
    return out;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int line_ = 1;
};

}  // namespace

Dotenv parse_dotenv(std::string_view text) {
  return Reader(text).read();
}

}  // namespace dg::cli
