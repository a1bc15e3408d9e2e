// The rows of the read tables as texts, column by column: what they must hold and what they hold are
// compared as they are stored.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "domain/assistant.hpp"
#include "domain/run.hpp"
#include "domain/thread.hpp"

namespace dg::store::audit {

enum class ReadTable { assistants, assistant_versions, threads, runs };
inline constexpr std::array read_tables{ReadTable::assistants, ReadTable::assistant_versions,
                                        ReadTable::threads, ReadTable::runs};

// The names of a table, of the columns of its key, and of the others.
std::string_view to_string(ReadTable table);
std::span<const std::string_view> key_columns(ReadTable table);
std::span<const std::string_view> columns(ReadTable table);

// Booleans are 0 and 1, times are microseconds since 1970.
struct ReadRow {
  std::string id;
  std::int64_t number = 0;  // of a version of an assistant
  std::vector<std::optional<std::string>> columns;
  // Columns beside these, of a row that is stored, which repeat what others say, and do not say it.
  std::vector<std::string_view> wrong_columns{};
};

ReadRow assistant_row(const domain::Assistant& assistant);
ReadRow assistant_version_row(const std::string& assistant_id, std::int64_t number,
                              const domain::AssistantContent& content, WallTime created_at);
ReadRow run_row(const domain::Run& run, bool has_frames);

// A thread with what follows from its runs and checkpoints.
struct ThreadFacts {
  domain::Thread thread{};
  domain::ThreadStatus status = domain::ThreadStatus::idle;
  std::optional<domain::RunError> error{};
  WallTime state_updated_at{};
};
ReadRow thread_row(const ThreadFacts& facts);

// The names of the columns in which two rows of a table differ.
std::vector<std::string_view> differing_columns(ReadTable table, const ReadRow& one, const ReadRow& other);

}  // namespace dg::store::audit
