#include "api/client_address.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "net/uri.hpp"

namespace dg::api {
namespace {

using net::Address;
using Lines = std::vector<std::string_view>;  // the values of one header, in order
// What one header says of the way of a request, the nearest hop last, as text; empty where nothing is named.
// It is read when it counts: a client may have written thousands of them.
using Hops = std::vector<std::string>;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blank = " \t";
  const auto begin = text.find_first_not_of(blank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blank) - begin + 1);
}

bool is_port(std::string_view text) {
  return !text.empty() && text.size() <= 5 && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::optional<Address> read_address(std::string_view text) {
  constexpr std::size_t longest = 45;  // of IPv4 in IPv6
  if (text.size() > longest) return std::nullopt;
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(std::string(text), error);
  if (error || (address.is_v6() && address.to_v6().scope_id() != 0)) return std::nullopt;
  return net::unmapped(address);
}

// An address as proxies write it: IPv6 bare or in brackets, and a port behind either.
std::optional<Address> read_node(std::string_view text) {
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    const auto rest = text.substr(end + 1);
    if (!rest.empty() && !(rest.starts_with(':') && is_port(rest.substr(1)))) return std::nullopt;
    const auto address = read_address(text.substr(1, end - 1));
    return address && text.substr(1, end - 1).contains(':') ? address : std::nullopt;
  }
  const auto colon = text.find(':');
  if (colon == std::string_view::npos || text.find(':', colon + 1) != std::string_view::npos)
    return read_address(text);
  return is_port(text.substr(colon + 1)) ? read_address(text.substr(0, colon)) : std::nullopt;
}

void read_list(std::string_view line, Hops& hops) {
  for (std::size_t begin = 0; begin <= line.size();) {
    const auto end = std::min(line.find(',', begin), line.size());
    hops.emplace_back(trimmed(line.substr(begin, end - begin)));
    begin = end + 1;
  }
}

// One line of Forwarded (RFC 7239, 4): elements with commas between them, each of pairs NAME=VALUE with
// semicolons between them, where a value is a token or a quoted string.
class ForwardedLine {
 public:
  explicit ForwardedLine(std::string_view text) : rest_(text) {}

  // Adds the hops of the line; a single empty one where the line breaks the grammar anywhere, since a
  // quotation mark on the left changes the meaning of all that follows it.
  void read(Hops& hops) {
    Hops found;
    do {
      auto hop = element();
      if (!hop) {
        hops.emplace_back();
        return;
      }
      found.push_back(std::move(*hop));
    } while (take(','));
    if (rest_.empty()) {
      hops.insert(hops.end(), found.begin(), found.end());
    } else {
      hops.emplace_back();
    }
  }

 private:
  // What the element says for `for`, empty where it does not; nothing where the grammar is broken.
  std::optional<std::string> element() {
    std::string hop;
    bool has_for = false;
    do {
      skip_blank();
      const auto name = token();
      if (name.empty() || !take('=')) return std::nullopt;
      auto text = value();
      if (!text) return std::nullopt;
      if (!net::equal_ignoring_case(name, "for")) continue;
      if (has_for) return std::nullopt;
      has_for = true;
      hop = std::move(*text);
    } while (take(';'));
    return hop;
  }

  std::optional<std::string> value() {
    if (!rest_.starts_with('"')) {
      const auto text = token();
      return text.empty() ? std::nullopt : std::optional<std::string>(text);
    }
    std::string out;
    for (std::size_t i = 1; i < rest_.size(); ++i) {
      if (rest_[i] == '"') {
        rest_.remove_prefix(i + 1);
        return out;
      }
      if (rest_[i] == '\\' && ++i == rest_.size()) break;
      out.push_back(rest_[i]);
    }
    return std::nullopt;
  }

  // Colons and brackets belong into quotes, but some proxies write [::1]:80 bare.
  std::string_view token() {
    const auto end = std::min(rest_.find_first_of(" \t,;=\""), rest_.size());
    const auto out = rest_.substr(0, end);
    rest_.remove_prefix(end);
    return out;
  }

  bool take(char mark) {
    skip_blank();
    if (!rest_.starts_with(mark)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  void skip_blank() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t"), rest_.size())); }

  std::string_view rest_;
};

void read_forwarded(std::string_view line, Hops& hops) {
  ForwardedLine(line).read(hops);
}

struct ForwardedHeader {
  std::string_view name;
  void (*read)(std::string_view line, Hops& hops);
};

constexpr std::array headers{ForwardedHeader{"X-Forwarded-For", read_list},
                             ForwardedHeader{"Forwarded", read_forwarded},
                             ForwardedHeader{"X-Real-IP", read_list}};

Lines lines_of(const net::Request& request, std::string_view name) {
  Lines out;
  for (const auto& [key, value] : request.headers)
    if (net::equal_ignoring_case(key, name)) out.push_back(value);
  return out;
}

// From the peer, which is trusted, to the first address that is not, or as far as can be read.
Address walk(const Hops& hops, const Address& peer, const net::Networks& trusted) {
  Address last = peer;
  for (auto hop = hops.rbegin(); hop != hops.rend(); ++hop) {
    const auto address = read_node(*hop);
    if (!address) break;
    last = *address;
    if (!contains(trusted, last)) break;
  }
  return last;
}

}  // namespace

Address ClientAddresses::of(const net::Request& request) {
  if (!contains(trusted_, request.peer)) {
    if (!told_of_untrusted_) tell_of_untrusted(request);
    return request.peer;
  }
  std::optional<Address> proxy;   // the farthest trusted one that the first header names
  std::optional<Address> client;  // beyond all trusted ones
  for (const auto& header : headers) {
    Hops hops;
    for (const auto line : lines_of(request, header.name)) header.read(line, hops);
    if (hops.empty()) continue;
    const auto found = walk(hops, request.peer, trusted_);
    if (contains(trusted_, found)) {
      if (!proxy) proxy = found;
      continue;
    }
    if (client && *client != found) {
      if (!std::exchange(told_of_contradiction_, true))
        log::warn(
            "the proxy {} passed on X-Forwarded-For, Forwarded and X-Real-IP that name different clients, so "
            "it counts as the client itself; make it remove those that it does not write (logged once)",
            request.peer.to_string());
      return request.peer;
    }
    client = found;
  }
  return client ? *client : proxy.value_or(request.peer);
}

void ClientAddresses::tell_of_untrusted(const net::Request& request) {
  for (const auto& header : headers) {
    if (!request.header(header.name)) continue;
    told_of_untrusted_ = true;
    log::warn(
        "{} sent {}, which is not believed; if it is a proxy of yours, name it in DURAGRAPH_TRUSTED_PROXIES, "
        "else all its clients count as one (logged once)",
        request.peer.to_string(), header.name);
    return;
  }
}

}  // namespace dg::api
