#include "cli/client/questions.hpp"

#include <fmt/format.h>

namespace dg::cli {
namespace {

constexpr std::size_t longest_question = 160;
constexpr std::size_t longest_example = 80;

std::string brief(std::string text) {
  if (text.size() <= longest_question) return text;
  std::size_t end = longest_question;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0u) == 0x80u) --end;
  return text.substr(0, end) + " …";
}

// `text` as one word of a shell's command line.
std::string shell_word(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += R"('\'')";
    } else {
      out += c;
    }
  }
  return out + "'";
}

void append_list(json::View list, std::vector<Question>& out) {
  for (const auto& interrupt : list.elements())
    out.push_back({interrupt["id"].string(), std::string(interrupt["value"].raw())});
}

}  // namespace

std::vector<Question> questions_in(json::View interrupts) {
  std::vector<Question> out;
  if (interrupts.is_array()) append_list(interrupts, out);
  for (const auto& task : interrupts.members()) append_list(task.value, out);
  return out;
}

std::string question_lines(const std::vector<Question>& questions) {
  std::string out;
  for (const auto& question : questions) out += fmt::format("  {}  {}\n", question.id, brief(question.value));
  return out;
}

std::string answer_command(std::string_view thread_id, const std::vector<Question>& questions) {
  std::string value = "VALUE";
  if (questions.size() > 1) {
    std::string map;
    for (const auto& question : questions)
      map += fmt::format("{}{}: VALUE", map.empty() ? "" : ", ", json::quote(question.id));
    value = shell_word("{" + map + "}");
  }
  return fmt::format("duragraph run resume {} --value {} --watch", thread_id, value);
}

std::string how_to_answer(std::string_view thread_id, const std::vector<Question>& questions) {
  const auto command = answer_command(thread_id, questions);
  if (questions.size() < 2) return "waits for an answer: " + command;
  return fmt::format("waits for {} answers:\n{}answer all with: {}", questions.size(),
                     question_lines(questions), command);
}

std::string how_to_go_on(std::string_view thread_id, json::View next) {
  std::string nodes;
  for (const auto& node : next.elements()) nodes += (nodes.empty() ? "" : ", ") + node.string();
  return fmt::format("has stopped before {} and asks nothing; go on with: duragraph run resume {} --watch",
                     nodes, thread_id);
}

Result<std::string> read_answer(std::string_view option, const std::string& text) {
  const auto valid = json::validate(text, json::client_rules);
  if (valid) return text;
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos || !std::string_view("{[\"").contains(text[begin])) return json::quote(text);
  auto example = json::quote(text);
  if (example.size() > longest_example) example = R"("…")";
  return fail(
      Errc::invalid_argument,
      fmt::format("{}: {}; what begins with {{, [ or \" is read as JSON, so quote text that does: {} {}",
                  option, valid.error().message, option, shell_word(example)));
}

}  // namespace dg::cli
