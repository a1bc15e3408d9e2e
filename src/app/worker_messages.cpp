#include "app/worker_messages.hpp"

#include "base/json.hpp"

namespace dg::app {
namespace {

// Codes as numbers: all instances are of one release, or of two that follow one another.
void write_error(json::Writer& out, const Error& error) {
  out.begin_object().key("code").integer(static_cast<std::int64_t>(error.code));
  out.key("message").string(error.message).key("fields").begin_array();
  for (const auto& field : error.fields)
    out.begin_array().string(field.place).string(field.message).end_array();
  out.end_array().end_object();
}

Error read_error(json::View in) {
  Error error;
  const auto code = in["code"].integer().value_or(-1);
  const bool known = code >= 0 && code <= static_cast<std::int64_t>(Errc::internal);
  error.code = known ? static_cast<Errc>(code) : Errc::internal;
  error.message = in["message"].string();
  for (const auto field : in["fields"].elements()) {
    const auto parts = field.elements();
    if (parts.size() == 2) error.fields.push_back({parts[0].string(), parts[1].string()});
  }
  return error;
}

bool is_object(std::string_view body) {
  return json::validate(body, json::worker_rules) && json::View(body).is_object();
}

}  // namespace

std::string encode(const Question& question) {
  json::Writer out;
  out.begin_object().key("instance").string(question.instance).key("id").integer(question.id);
  out.key("method").string(question.method).key("patience_us").integer(question.patience.count());
  out.key("params").raw(question.params).end_object();
  return out.take();
}

std::string encode(const Reply& reply) {
  json::Writer out;
  out.begin_object().key("id").integer(reply.id).key("lost").boolean(reply.lost);
  if (reply.result) {
    out.key("result").raw(*reply.result);
  } else {
    out.key("error");
    write_error(out, reply.result.error());
  }
  out.end_object();
  return out.take();
}

std::optional<Question> read_question(std::string_view body) {
  if (!is_object(body)) return std::nullopt;
  const json::View in(body);
  return Question{in["instance"].string(), in["id"].integer().value_or(0), in["method"].string(),
                  std::string(in["params"].raw()), Duration(in["patience_us"].integer().value_or(0))};
}

std::optional<Reply> read_reply(std::string_view body) {
  if (!is_object(body)) return std::nullopt;
  const json::View in(body);
  Reply reply{in["id"].integer().value_or(0), fail(Errc::internal, ""), in["lost"].boolean().value_or(false)};
  if (in["error"].is_object()) {
    reply.result = fail(read_error(in["error"]));
  } else {
    reply.result = std::string(in["result"].raw());
  }
  return reply;
}

}  // namespace dg::app
