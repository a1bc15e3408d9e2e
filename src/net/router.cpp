#include "net/router.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <stdexcept>
#include <utility>

#include "net/uri.hpp"

namespace dg::net {
namespace {

constexpr std::size_t max_depth = 32;

// What one path answers to one method; a WebSocket stands beside the methods.
struct Entry {
  Method method = Method::get;
  bool websocket = false;
  std::string pattern;
  std::vector<std::string> names;  // of the {params}, in order
  Handler handler;
  WsGate gate;
  WsHandler ws_handler;
  std::string ws_protocol;
};

struct Node {
  std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
  std::unique_ptr<Node> param;
  std::vector<Entry> entries;

  const Entry* find(Method method, bool websocket) const {
    for (const Entry& entry : entries) {
      if (entry.method == method && entry.websocket == websocket) return &entry;
    }
    return nullptr;
  }
};

using Segments = std::array<std::string_view, max_depth>;

// Splits a path at its slashes; one slash at the end counts as none. The number of segments, or
// nothing when there are more than any route has.
std::optional<std::size_t> split(std::string_view path, Segments& segments) {
  if (path.starts_with('/')) path.remove_prefix(1);
  if (path.ends_with('/')) path.remove_suffix(1);
  if (path.empty()) return 0;
  std::size_t count = 0;
  while (true) {
    if (count == max_depth) return std::nullopt;
    const std::size_t slash = path.find('/');
    segments[count++] = path.substr(0, slash);
    if (slash == std::string_view::npos) return count;
    path.remove_prefix(slash + 1);
  }
}

bool is_param(std::string_view segment) {
  return segment.starts_with('{') && segment.ends_with('}');
}

const Node* literal_child(const Node& node, std::string_view segment) {
  if (segment.find('%') == std::string_view::npos) {
    const auto found = node.literals.find(segment);
    return found == node.literals.end() ? nullptr : found->second.get();
  }
  const auto decoded = percent_decode(segment);
  if (!decoded) return nullptr;
  const auto found = node.literals.find(*decoded);
  return found == node.literals.end() ? nullptr : found->second.get();
}

// One search through the tree for one request. Literals are tried before params; where a literal leads to
// no route at all, the search comes back and tries the param. A route with another method ends the search:
// what is a word of the API is no parameter's value, whatever the method.
class Search {
 public:
  Search(Method method, const Segments& segments, std::size_t count)
      : method_(method), segments_(segments), count_(count) {}

  bool run(const Node& node, std::size_t depth, std::size_t values) {
    if (depth == count_) return arrive(node);
    if (const Node* next = literal_child(node, segments_[depth]); next && run(*next, depth + 1, values))
      return true;
    if (!node.param || segments_[depth].empty()) return false;
    values_[values] = segments_[depth];
    return run(*node.param, depth + 1, values + 1);
  }

  const Entry* plain = nullptr;
  const Entry* websocket = nullptr;
  std::vector<std::string> allowed;

  void fill_params(const Entry& entry, Request& request) const {
    for (std::size_t i = 0; i < entry.names.size(); ++i) {
      if (auto value = percent_decode(values_[i]))
        request.params.insert_or_assign(entry.names[i], std::move(*value));
    }
  }

 private:
  bool arrive(const Node& node) {
    if (node.entries.empty()) return false;
    plain = node.find(method_, false);
    if (!plain && method_ == Method::head) plain = node.find(Method::get, false);
    if (method_ == Method::get) websocket = node.find(Method::get, true);
    if (plain || websocket) return true;
    for (const Entry& entry : node.entries) allow(to_string(entry.method));
    return true;
  }

  void allow(std::string_view name) {
    if (std::ranges::find(allowed, name) == allowed.end()) allowed.emplace_back(name);
  }

  Method method_;
  const Segments& segments_;
  std::size_t count_;
  std::array<std::string_view, max_depth> values_;
};

}  // namespace

struct Router::Impl {
  Node root;
  std::vector<Route> routes;

  void add(Entry entry) {
    Segments segments;
    const auto count = split(entry.pattern, segments);
    if (!count) throw std::logic_error("a route has too many segments: " + entry.pattern);
    Node* node = &root;
    for (std::size_t i = 0; i < *count; ++i) {
      const std::string_view segment = segments[i];
      if (is_param(segment)) entry.names.emplace_back(segment.substr(1, segment.size() - 2));
      auto& next = is_param(segment) ? node->param : node->literals[std::string(segment)];
      if (!next) next = std::make_unique<Node>();
      node = next.get();
    }
    if (node->find(entry.method, entry.websocket))
      throw std::logic_error("a route is there twice: " + entry.pattern);
    routes.push_back({entry.websocket ? "WS" : std::string(to_string(entry.method)), entry.pattern});
    node->entries.push_back(std::move(entry));
  }
};

Router::Router() : impl_(std::make_unique<Impl>()) {}
Router::~Router() = default;

void Router::add(Method method, std::string_view pattern, Handler handler) {
  Entry entry;
  entry.method = method;
  entry.pattern = pattern;
  entry.handler = std::move(handler);
  impl_->add(std::move(entry));
}

void Router::add_websocket(std::string_view pattern, WsGate gate, WsHandler handler, std::string protocol) {
  Entry entry;
  entry.websocket = true;
  entry.pattern = pattern;
  entry.gate = std::move(gate);
  entry.ws_handler = std::move(handler);
  entry.ws_protocol = std::move(protocol);
  impl_->add(std::move(entry));
}

Router::Match Router::match(Request& request) const {
  Match match;
  Segments segments;
  const auto count = split(request.path, segments);
  if (!count) return match;
  Search search(request.method, segments, *count);
  if (!search.run(impl_->root, 0, 0)) return match;
  match.allowed = std::move(search.allowed);
  if (const Entry* entry = search.websocket) {
    match.ws_gate = &entry->gate;
    match.ws_handler = &entry->ws_handler;
    match.ws_protocol = entry->ws_protocol;
    match.pattern = entry->pattern;
    search.fill_params(*entry, request);
  }
  if (const Entry* entry = search.plain) {
    match.handler = &entry->handler;
    match.pattern = entry->pattern;
    search.fill_params(*entry, request);
  }
  return match;
}

std::vector<Router::Route> Router::routes() const {
  return impl_->routes;
}

}  // namespace dg::net
