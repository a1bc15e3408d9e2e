// What a thread asks a person, and the command that answers it or goes on.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"

namespace dg::cli {

struct Question {
  std::string id;
  std::string value;  // JSON
};

// The questions of a list of interrupts, or of a thread's map from tasks to such lists.
std::vector<Question> questions_in(json::View interrupts);

// The ids and the questions, a line each; a long question is shortened.
std::string question_lines(const std::vector<Question>& questions);

// The command that answers all of them. One answer is enough for one question; several are told apart by
// their ids, as a graph takes them.
std::string answer_command(std::string_view thread_id, const std::vector<Question>& questions);

// What the thread asks and how to answer it, for a person. Only where there are several do their ids matter.
std::string how_to_answer(std::string_view thread_id, const std::vector<Question>& questions);

// How a thread goes on that has stopped before these nodes and asks nothing.
std::string how_to_go_on(std::string_view thread_id, json::View next);

// The answer that `text` means, as JSON: JSON itself, or else plain text. invalid_argument, which names
// `option`, where it begins like JSON and is none: that is a slip of the quoting, not an answer.
Result<std::string> read_answer(std::string_view option, const std::string& text);

}  // namespace dg::cli
