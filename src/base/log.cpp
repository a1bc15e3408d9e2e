#include "base/log.hpp"

#include <fmt/chrono.h>
#include <simdjson.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>

#include "base/json.hpp"
#include "base/log_sink.hpp"

namespace dg::log {
namespace {

constexpr const char* text_pattern = "%Y-%m-%dT%H:%M:%S.%e %^%-5l%$ %v";

// Standard error, as lines of one format. Made anew when the format changes, at the start of the program.
struct Output {
  explicit Output(Format format)
      : json(format == Format::json || (format == Format::automatic && isatty(STDERR_FILENO) == 0)) {
    if (isatty(STDERR_FILENO) == 1) {
      logger = std::make_shared<spdlog::logger>("duragraph",
                                                std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    } else {
      bounded = std::make_shared<UnwaitingSink>(STDERR_FILENO);
      logger = std::make_shared<spdlog::logger>("duragraph", bounded);
    }
    logger->set_pattern(json ? "%v" : text_pattern);
    logger->flush_on(spdlog::level::trace);
  }

  bool json;
  std::shared_ptr<UnwaitingSink> bounded;  // null for a terminal
  std::shared_ptr<spdlog::logger> logger;
  std::string instance;
};

std::unique_ptr<Output>& output() {
  static auto instance = std::make_unique<Output>(Format::text);
  return instance;
}

spdlog::logger& logger() {
  return *output()->logger;
}

std::array<std::atomic<std::uint64_t>, 5>& counts() {
  static std::array<std::atomic<std::uint64_t>, 5> instance{};
  return instance;
}

spdlog::level::level_enum native(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warn:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
    case Level::off:
      return spdlog::level::off;
  }
  return spdlog::level::info;
}

std::string_view word_for(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::debug:
      return "debug";
    case spdlog::level::info:
      return "info";
    case spdlog::level::warn:
      return "warn";
    case spdlog::level::critical:
      return "fatal";
    default:
      return "error";
  }
}

// RFC 3339 in UTC with milliseconds.
std::string time_now() {
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)), (now - seconds).count());
}

// A line is UTF-8, whatever somebody's words are.
std::string readable(std::string_view text) {
  std::string out(text);
  if (simdjson::validate_utf8(text)) return out;
  for (char& c : out)
    if (static_cast<unsigned char>(c) >= 0x80) c = '?';
  return out;
}

std::string json_line(spdlog::level::level_enum level, Fields fields, std::string_view text) {
  json::Writer out;
  out.begin_object().key("time").string(time_now()).key("level").string(word_for(level));
  out.key("message").string(readable(text));
  for (const auto& [name, value] : fields)
    if (!value.empty()) out.key(name).string(readable(value));
  if (!output()->instance.empty()) out.key("instance").string(output()->instance);
  return out.end_object().take();
}

std::string text_line(Fields fields, std::string_view text) {
  std::string out(text);
  for (const auto& [name, value] : fields)
    if (!value.empty()) fmt::format_to(std::back_inserter(out), " {}={}", name, value);
  return out;
}

void put(spdlog::level::level_enum level, Fields fields, std::string_view text) {
  logger().log(level, output()->json ? json_line(level, fields, text) : text_line(fields, text));
}

}  // namespace

void set_level(Level level) {
  logger().set_level(native(level));
}

void set_format(Format format) {
  auto made = std::make_unique<Output>(format);
  made->logger->set_level(logger().level());
  made->instance = output()->instance;
  output() = std::move(made);
}

void set_instance(std::string_view id) {
  output()->instance = id;
}

bool enabled(Level level) {
  return logger().should_log(native(level));
}

void write(Level level, Fields fields, std::string_view text) {
  counts().at(static_cast<std::size_t>(level)).fetch_add(1, std::memory_order_relaxed);
  put(native(level), fields, text);
}

std::uint64_t written(Level level) {
  return counts().at(static_cast<std::size_t>(level)).load(std::memory_order_relaxed);
}

std::uint64_t dropped() {
  const auto& bounded = output()->bounded;
  return bounded ? bounded->dropped() : 0;
}

void abort_with(std::string_view text) {
  put(spdlog::level::critical, {}, text);
  std::abort();
}

}  // namespace dg::log
