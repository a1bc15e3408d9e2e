// What every client command shares: its output, its connection, and how it ends.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "cli/client/api.hpp"
#include "cli/client/exit_code.hpp"
#include "cli/client/output.hpp"

namespace dg::cli {

struct Session {
  Output out;
  Api api;
};

// What the help of client commands says of the environment.
constexpr const char* environment_help =
    "Environment:\n"
    "  DURAGRAPH_URL      where the server is (http://127.0.0.1:2024 unless set)\n"
    "  DURAGRAPH_API_KEY  the key that is sent, where the server asks for one";

// What a command does once its options are read. An error becomes a message and an exit code.
using Action = std::function<Result<ExitCode>(Session&)>;

// Makes `command` do `action` against DURAGRAPH_URL with DURAGRAPH_API_KEY, and adds --json.
void set_action(CLI::App& command, int& exit_code, Action action);

// The JSON that an option gives: the text itself, a file's after "@", or standard input's for "-".
// invalid_argument names the option.
Result<std::string> read_json(std::string_view option, const std::string& given);

// What standard error says when Ctrl-C ends the program; the exit code is then 130.
void set_interrupt_note(std::string_view note);

}  // namespace dg::cli
