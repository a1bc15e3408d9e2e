// HTTP: what a connection receives are the same requests however it is cut into pieces, and each is where
// a plain reading of RFC 9112 says that it is. An input is what one connection receives.
#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "net/request_parser.hpp"
#include "net/uri.hpp"
#include "target.hpp"

namespace dg::fuzz {
namespace {

constexpr std::size_t header_limit = 512;
constexpr std::size_t body_limit = 256;

struct Message {
  std::string text;  // of the request, for comparing
  net::Request request;
  std::size_t begin = 0;
  std::size_t end = 0;
  bool http10 = false;
};

// The requests up to the end of the input, or to what is refused.
using Conversation = std::vector<Message>;

std::string text_of(const net::Request& request) {
  std::string out = fmt::format("{} {}\n", request.method_name(), request.target);
  for (const auto& [name, value] : request.headers) out += fmt::format("{}: {}\n", name, value);
  return out + "\n" + request.body;
}

// One that is refused may hold what made it so: a line, and the lines that came with it.
void check_bounds(const net::Request& request, bool refused, std::string_view input) {
  std::size_t head = request.target.size();
  for (const auto& [name, value] : request.headers) head += name.size() + value.size();
  expect(head <= (refused ? 2 : 1) * header_limit, "the headers are bounded", input);
  expect(request.body.size() <= body_limit, "the body is bounded", input);
}

// Reads as a session does: what a parser leaves is at the front of its next call. `piece` gives the size of
// what is received next.
template <class Piece>
Conversation converse(std::string_view input, Piece piece) {
  Conversation out;
  std::size_t received = 0;
  std::size_t at = 0;
  while (true) {
    net::RequestParser parser(header_limit, body_limit);
    const std::size_t begin = at;
    while (true) {
      at += parser.feed(input.substr(at, received - at));
      expect(at <= received, "a parser uses what it was given", input);
      if (parser.done() || parser.error()) break;
      if (!parser.head_done()) expect(received - at <= header_limit, "a head that waits is bounded", input);
      if (received == input.size()) return out;
      received = std::min(input.size(), received + piece());
    }
    const bool refused = parser.error() != nullptr;
    const bool http10 = parser.http10();
    auto request = parser.take();
    check_bounds(request, refused, input);
    if (refused) return out;
    out.push_back({text_of(request), std::move(request), begin, at, http10});
  }
}

void check_same(const Conversation& a, const Conversation& b, std::string_view input) {
  expect(a.size() == b.size(), "pieces make no other requests", input);
  for (std::size_t i = 0; i < a.size(); ++i) {
    expect(a[i].text == b[i].text, "pieces make no other request", input);
    expect(a[i].end == b[i].end, "pieces end a request nowhere else", input);
  }
}

// A line up to its CRLF, taken off the front of `text`.
std::optional<std::string_view> take_line(std::string_view& text) {
  const auto end = text.find("\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  const auto line = text.substr(0, end);
  text.remove_prefix(end + 2);
  return line;
}

struct Framing {
  std::vector<std::string_view> lengths;
  std::vector<std::string_view> encodings;
  int hosts = 0;
};

std::string_view trim(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

// Takes a head apart, as strictly as any server may.
Framing read_head(std::string_view& bytes, std::string_view whole) {
  Framing out;
  const auto first = take_line(bytes);
  expect(first && !first->contains('\n') && !first->contains('\r'), "a request line is a line", whole);
  while (true) {
    const auto line = take_line(bytes);
    expect(line.has_value(), "a head ends", whole);
    if (line->empty()) return out;
    const auto name = line->substr(0, line->find(':'));
    expect(!name.empty() && name.size() < line->size(), "a header has a name", whole);
    expect(name.find_first_of(" \t\r\n\v\f\"(),/;<=>?@[\\]{}") == std::string_view::npos, "a name is a token",
           whole);
    for (const char c : *line)
      expect(static_cast<unsigned char>(c) >= ' ' || c == '\t', "a header has no control characters", whole);
    const auto value = trim(line->substr(name.size() + 1));
    if (net::equal_ignoring_case(name, "content-length")) out.lengths.push_back(value);
    if (net::equal_ignoring_case(name, "transfer-encoding")) out.encodings.push_back(value);
    if (net::equal_ignoring_case(name, "host")) ++out.hosts;
  }
}

std::size_t number(std::string_view digits, int base, std::string_view whole) {
  std::size_t value = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  expect(parsed.ec == std::errc{} && parsed.ptr == digits.data() + digits.size(), "a length is a number",
         whole);
  return value;
}

std::string read_chunks(std::string_view& bytes, std::string_view whole) {
  std::string body;
  while (true) {
    const auto head = take_line(bytes);
    expect(head.has_value(), "a chunk has a head", whole);
    expect(!head->contains('\n') && !head->contains('\r'), "a chunk's head is a line", whole);
    const auto size = number(trim(head->substr(0, head->find(';'))), 16, whole);
    if (size == 0) break;
    expect(size + 2 <= bytes.size() && bytes.substr(size, 2) == "\r\n", "a chunk ends where it says", whole);
    body += bytes.substr(0, size);
    bytes.remove_prefix(size + 2);
  }
  for (auto line = take_line(bytes); !line || !line->empty(); line = take_line(bytes))
    expect(line.has_value(), "trailers end", whole);
  return body;
}

// The request is what stands in its bytes, and all that does.
void check_place(const Message& message, std::string_view input) {
  auto bytes = input.substr(message.begin, message.end - message.begin);
  while (bytes.starts_with("\r\n")) bytes.remove_prefix(2);
  const Framing framing = read_head(bytes, input);
  expect(framing.lengths.size() + framing.encodings.size() <= 1, "a body has one length", input);
  expect(framing.hosts == 1 || (message.http10 && framing.hosts == 0), "a request names one host", input);
  expect(framing.encodings.empty() || !message.http10, "HTTP/1.0 has no encodings", input);
  std::string body;
  if (!framing.encodings.empty()) {
    expect(net::equal_ignoring_case(framing.encodings[0], "chunked"), "chunked is the only encoding", input);
    body = read_chunks(bytes, input);
  } else if (!framing.lengths.empty()) {
    const auto length = number(framing.lengths[0], 10, input);
    expect(length <= bytes.size(), "a body is whole", input);
    body = bytes.substr(0, length);
    bytes.remove_prefix(length);
  }
  expect(bytes.empty(), "a request ends where its body ends", input);
  expect(body == message.request.body, "a body is what was sent", input);
}

std::string encode(std::string_view text) {
  std::string out;
  for (const char c : text) out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  return out;
}

void check_target(const net::Request& request, std::string_view input) {
  expect(request.path == "*" || request.path.starts_with('/'), "a path begins with a slash", input);
  expect(!request.path.contains('?'), "a path ends before the query", input);
  expect(net::percent_decode(request.path).has_value(), "a path can be decoded", input);
  net::Request again;
  again.target = "/?";
  for (const auto& [name, value] : request.query) again.target += encode(name) + "=" + encode(value) + "&";
  expect(net::split_target(again).has_value() && again.query == request.query, "a query reads back", input);
}

void check(std::string_view input) {
  const auto whole = converse(input, [&] { return input.size(); });
  for (const auto& message : whole) {
    check_place(message, input);
    check_target(message.request, input);
  }
  check_same(whole, converse(input, [] { return std::size_t{1}; }), input);
  std::uint32_t state = 1;
  check_same(whole, converse(input, [&] { return 1 + ((state = state * 1664525 + 1013904223) >> 28); }),
             input);
}

const Registration http_target("http", 10000, check);

}  // namespace
}  // namespace dg::fuzz
