#include "cli/client/session.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>

#include "base/json.hpp"

namespace dg::cli {
namespace {

std::array<char, 256> interrupt_note{};
std::atomic<std::size_t> interrupt_note_size{0};

// Nothing of a client command needs tidying up, so Ctrl-C may end it wherever it is.
extern "C" void on_interrupt(int) {
  const auto size = interrupt_note_size.load();
  if (size > 0) [[maybe_unused]]
    const auto ignored = ::write(STDERR_FILENO, interrupt_note.data(), size);
  ::_exit(static_cast<int>(ExitCode::interrupted));
}

std::string environment(const char* name, std::string_view otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : std::string(otherwise);
}

int run(bool json, const Action& action) {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGINT, &on_interrupt);
  const auto url = to_base_url(environment("DURAGRAPH_URL", "http://127.0.0.1:2024"));
  if (!url) {
    Output(json).error("DURAGRAPH_URL: " + url.error().message);
    return static_cast<int>(ExitCode::usage);
  }
  Session session{Output(json), Api(*url, environment("DURAGRAPH_API_KEY", ""))};
  const auto result = action(session);
  if (result) return static_cast<int>(*result);
  std::string message = result.error().message;
  for (const auto& field : result.error().fields)
    message += fmt::format("\n  {}: {}", field.place, field.message);
  session.out.error(message);
  if (result.error().code == Errc::unavailable) {
    session.out.note(
        "Is a server running there? `duragraph dev` starts one; DURAGRAPH_URL says where to look.");
  } else if (result.error().code == Errc::unauthorized) {
    session.out.note("DURAGRAPH_API_KEY holds the key that is sent.");
  }
  return static_cast<int>(exit_code_for(result.error().code));
}

}  // namespace

void set_action(CLI::App& command, int& exit_code, Action action) {
  auto json = std::make_shared<bool>(false);
  command.add_flag("--json", *json, "Print JSON");
  command.footer(environment_help);
  command.callback([json, &exit_code, action = std::move(action)] { exit_code = run(*json, action); });
}

Result<std::string> read_json(std::string_view option, const std::string& given) {
  std::string text = given;
  if (given == "-") {
    text.assign(std::istreambuf_iterator<char>(std::cin), {});
  } else if (given.starts_with('@')) {
    std::ifstream file(given.substr(1), std::ios::binary);
    if (!file)
      return fail(Errc::invalid_argument, fmt::format("{}: {} cannot be read", option, given.substr(1)));
    text.assign(std::istreambuf_iterator<char>(file), {});
  }
  if (auto valid = json::validate(text, json::client_rules); !valid) {
    return fail(Errc::invalid_argument, fmt::format("{}: {}", option, valid.error().message));
  }
  return text;
}

void set_interrupt_note(std::string_view note) {
  interrupt_note_size = 0;
  const auto size = std::min(note.size(), interrupt_note.size());
  std::memcpy(interrupt_note.data(), note.data(), size);
  interrupt_note_size = size;
}

}  // namespace dg::cli
