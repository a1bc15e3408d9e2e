// Logging to standard error: one line an entry, with a level, a message and named fields that say what it is
// about. Never pass a secret.
//
//   log::warn({{"run_id", run.id}}, "the run lost its worker after {} s", seconds);
//
// Nothing waits for whoever reads the log: a line that a pipe has no room for is dropped and counted.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <utility>

namespace dg::log {

enum class Level { debug, info, warn, error, off };
// Lines for people, or an object of JSON a line. Automatic: the former where standard error is a terminal.
enum class Format { automatic, text, json };

// What a line is about. Names are of code's choice; a field whose value is empty is left out.
struct Field {
  std::string_view name;
  std::string_view value;
};
using Fields = std::initializer_list<Field>;

void set_level(Level level);
void set_format(Format format);
// The field `instance` of each line of JSON from now on.
void set_instance(std::string_view id);
bool enabled(Level level);
void write(Level level, Fields fields, std::string_view text);

// Lines that were written at that level, and lines that were dropped, since the start.
std::uint64_t written(Level level);
std::uint64_t dropped();

template <class... Args>
void log(Level level, Fields fields, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(level)) write(level, fields, fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
void debug(Fields fields, fmt::format_string<Args...> format, Args&&... args) {
  log(Level::debug, fields, format, std::forward<Args>(args)...);
}
template <class... Args>
void info(Fields fields, fmt::format_string<Args...> format, Args&&... args) {
  log(Level::info, fields, format, std::forward<Args>(args)...);
}
template <class... Args>
void warn(Fields fields, fmt::format_string<Args...> format, Args&&... args) {
  log(Level::warn, fields, format, std::forward<Args>(args)...);
}
template <class... Args>
void error(Fields fields, fmt::format_string<Args...> format, Args&&... args) {
  log(Level::error, fields, format, std::forward<Args>(args)...);
}

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  log(Level::debug, {}, format, std::forward<Args>(args)...);
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  log(Level::info, {}, format, std::forward<Args>(args)...);
}
template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  log(Level::warn, {}, format, std::forward<Args>(args)...);
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  log(Level::error, {}, format, std::forward<Args>(args)...);
}

[[noreturn]] void abort_with(std::string_view text);

// Logs a bug and ends the process: after one, no promise of the program can be kept, and a
// restart continues from what is durable.
template <class... Args>
[[noreturn]] void fatal(fmt::format_string<Args...> format, Args&&... args) {
  abort_with(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace dg::log
