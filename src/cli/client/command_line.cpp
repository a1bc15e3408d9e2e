#include "cli/client/command_line.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "cli/client/value_rules.hpp"

namespace dg::cli {
namespace {

CLI::Validator check(ValueRule rule) {
  return CLI::Validator(
      [rule = std::move(rule)](std::string& given) {
        return rule.accepts(given) ? std::string() : fmt::format("must be {}, not \"{}\"", rule.must, given);
      },
      "");
}

// How many letters must be changed, added, left out or swapped with the next to make one of the other.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> rows(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        rows[i][j] = i + j;
        continue;
      }
      const std::size_t differs = a[i - 1] == b[j - 1] ? 0 : 1;
      auto least = std::min({rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + differs});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) least = std::min(least, rows[i - 2][j - 2] + 1);
      rows[i][j] = least;
    }
  }
  return rows[a.size()][b.size()];
}

// The commands that the command line names, from the program down.
std::vector<const CLI::App*> named_commands(const CLI::App& app) {
  std::vector<const CLI::App*> out{&app};
  for (auto below = app.get_subcommands(); !below.empty(); below = below.front()->get_subcommands())
    out.push_back(below.front());
  return out;
}

std::vector<std::string> commands_of(const CLI::App& app) {
  std::vector<std::string> out;
  for (const auto* command : app.get_subcommands([](const CLI::App*) { return true; }))
    out.push_back(command->get_name());
  return out;
}

std::vector<std::string> options_of(const CLI::App& app) {
  std::vector<std::string> out;
  for (const auto* option : app.get_options([](const CLI::Option*) { return true; }))
    for (const auto& name : option->get_lnames()) out.push_back("--" + name);
  return out;
}

std::string describe_unknown(const CLI::App& app, const std::string& path, const std::string& word) {
  const bool is_option = word.size() > 1 && word.starts_with('-');
  const auto name = is_option ? word.substr(0, word.find('=')) : word;
  const auto known = is_option ? options_of(app) : commands_of(app);
  if (!is_option && known.empty()) return fmt::format("\"{}\" is one word too many", word);
  const auto meant = nearest(name, known);
  return fmt::format("{} has no {} \"{}\"{}", path, is_option ? "option" : "command", name,
                     meant.empty() ? "" : fmt::format("; did you mean {}?", meant));
}

}  // namespace

CLI::Validator at_least(double least) {
  return check(number_from(least));
}

CLI::Validator whole_number(std::int64_t least, std::int64_t most) {
  return check(whole_number_in(least, most));
}

CLI::Validator port_number() {
  return check(listening_port());
}

CLI::Validator host_address() {
  return check(listening_host());
}

CLI::Validator web_origin() {
  return check(allowed_origin());
}

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
  std::string found;
  std::size_t least = word.size() <= 4 ? 2 : 3;  // letters that differ, and one
  if (word.size() > 40) return found;
  for (const auto& candidate : known) {
    const auto far = distance(word, candidate);
    if (far >= least) continue;
    least = far;
    found = candidate;
  }
  return found;
}

std::string describe(const CLI::App& app, const CLI::ParseError& error) {
  const auto commands = named_commands(app);
  std::string path;
  std::string message = error.what();
  bool said = false;
  for (const auto* command : commands) {
    path += (path.empty() ? "" : " ") + command->get_name();
    const auto unknown = command->remaining();
    if (said || unknown.empty()) continue;
    message = describe_unknown(*command, path, unknown.front());
    said = true;
  }
  const auto& last = *commands.back();
  if (!said && last.get_require_subcommand_min() > 0)
    message = fmt::format("{} needs a command: {}", path, fmt::join(commands_of(last), ", "));
  return fmt::format("error: {}\nMore: {} --help\n", message, path);
}

}  // namespace dg::cli
