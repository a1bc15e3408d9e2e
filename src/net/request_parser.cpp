#include "net/request_parser.hpp"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <limits>
#include <optional>
#include <utility>

#include "net/uri.hpp"

namespace dg::net {
namespace {

namespace http = boost::beast::http;
using boost::system::error_code;
using View = boost::beast::string_view;

Method to_method(http::verb verb) {
  switch (verb) {
    case http::verb::get:
      return Method::get;
    case http::verb::head:
      return Method::head;
    case http::verb::post:
      return Method::post;
    case http::verb::put:
      return Method::put;
    case http::verb::patch:
      return Method::patch;
    case http::verb::delete_:
      return Method::del;
    case http::verb::options:
      return Method::options;
    default:
      return Method::other;
  }
}

// What is missing of a chunked body ends with "0\r\n\r\n", and the library asserts that it is not given less.
constexpr std::size_t least_rest = 5;

// RFC 9112, 5.2: a line that goes on with the header before it. The library joins them; others take them for
// headers of their own.
bool has_folded_line(std::string_view lines) {
  return lines.contains("\r\n ") || lines.contains("\r\n\t");
}

}  // namespace

struct RequestParser::Impl final : http::basic_parser<true> {
  Impl(std::size_t limit, std::size_t body_most) : head_left(limit), body_limit_bytes(body_most) {}

  void on_request_impl(http::verb verb, View name, View target, int version, error_code&) override {
    request.method = to_method(verb);
    if (request.method == Method::other) request.other_method.assign(name.data(), name.size());
    request.target.assign(target.data(), target.size());
    http10 = version == 10;
  }

  void on_response_impl(int, View, int, error_code&) override {}

  void on_field_impl(http::field field, View name, View value, error_code& ec) override {
    if (in_body) return;  // a trailer, which nothing here has a use for
    if (field == http::field::host) {
      refuse_if(host++ > 0, "there is more than one Host header", ec);
    } else if (field == http::field::content_length) {
      refuse_if(content_length++ > 0, "there is more than one Content-Length header", ec);
      refuse_if(!std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; }),
                "the Content-Length is not a number", ec);
    } else if (field == http::field::transfer_encoding) {
      refuse_if(!equal_ignoring_case({value.data(), value.size()}, "chunked"),
                "the only transfer encoding understood is chunked", ec);
      refuse_if(http10, "HTTP/1.0 has no transfer encodings", ec);
    } else if (field == http::field::expect) {
      expects_continue = equal_ignoring_case({value.data(), value.size()}, "100-continue");
    }
    request.headers.emplace_back(std::string(name.data(), name.size()),
                                 std::string(value.data(), value.size()));
  }

  void on_header_impl(error_code& ec) override {
    in_body = true;
    refuse_if(!http10 && host == 0, "the Host header is missing", ec);
    if (ec) return;
    if (auto split = split_target(request); !split) {
      error = std::move(split).error();
      ec = http::error::bad_target;
    }
  }

  void on_body_init_impl(const boost::optional<std::uint64_t>& length, error_code&) override {
    // A length that is only claimed must not make the server hold that much.
    if (length) request.body.reserve(std::min<std::uint64_t>(*length, 1u << 20));
  }

  std::size_t on_body_impl(View bytes, error_code&) override {
    request.body.append(bytes.data(), bytes.size());
    return bytes.size();
  }

  void on_chunk_header_impl(std::uint64_t, View, error_code&) override {}

  std::size_t on_chunk_body_impl(std::uint64_t, View bytes, error_code&) override {
    request.body.append(bytes.data(), bytes.size());
    return bytes.size();
  }

  void on_finish_impl(error_code&) override {}

  void refuse_if(bool broken, const char* why, error_code& ec) {
    if (!broken || ec) return;
    refuse(why);
    ec = http::error::bad_field;
  }

  void refuse(const char* why) {
    if (!error) error = Error{Errc::bad_request, why, {}};
  }

  void fail_with(const error_code& ec) {
    if (error) return;
    if (ec == http::error::header_limit) {
      head_too_large = true;
      error = Error{Errc::too_large, "the request's headers are too large", {}};
    } else if (ec == http::error::body_limit) {
      error = Error{Errc::too_large,
                    "the request's body is over the limit of " + std::to_string(body_limit_bytes) + " bytes",
                    {}};
    } else {
      error = Error{Errc::bad_request, "the request is not valid HTTP/1.1: " + ec.message(), {}};
    }
  }

  // Counts the head's bytes over all calls, since the library's own limit starts again with every
  // field. False when they are too many.
  bool within_head(std::size_t used, std::size_t waiting) {
    head_left -= std::min(head_left, used);
    return is_header_done() ? head_left > 0 : waiting < head_left;
  }

  Request request;
  std::optional<Error> error;
  std::size_t head_left;
  const std::size_t body_limit_bytes;
  int host = 0;
  int content_length = 0;
  bool http10 = false;
  bool in_body = false;
  bool expects_continue = false;
  bool head_too_large = false;
};

RequestParser::RequestParser(std::size_t header_limit, std::size_t body_limit)
    : impl_(std::make_unique<Impl>(header_limit + 1, body_limit)) {
  constexpr std::size_t largest = std::numeric_limits<std::uint32_t>::max() - 1;
  impl_->header_limit(static_cast<std::uint32_t>(std::min(header_limit, largest) + 1));
  impl_->body_limit(body_limit);
}

RequestParser::~RequestParser() = default;

std::size_t RequestParser::feed(std::string_view bytes) {
  std::size_t used = 0;
  if (!impl_->got_some()) {
    // RFC 9112, 2.2: empty lines before a request are skipped.
    while (bytes.substr(used).starts_with("\r\n")) used += 2;
    if (bytes.substr(used) == "\r") return used;
  }
  while (used < bytes.size() && !impl_->error && !impl_->is_done()) {
    const bool in_head = !impl_->is_header_done();
    if (!in_head && impl_->chunked() && bytes.size() - used < least_rest) break;
    impl_->eager(!in_head);
    error_code ec;
    const std::size_t step = impl_->put({bytes.data() + used, bytes.size() - used}, ec);
    const bool folded = in_head && has_folded_line(bytes.substr(used, step));
    used += step;
    const bool waits = ec == http::error::need_more;
    if (ec && !waits) impl_->fail_with(ec);
    if (folded) impl_->refuse("a header is folded over two lines");
    if (in_head && !impl_->within_head(step, bytes.size() - used))
      impl_->fail_with(http::error::header_limit);
    if (waits) break;
  }
  return used;
}

bool RequestParser::head_done() const {
  return impl_->is_header_done();
}
bool RequestParser::done() const {
  return impl_->is_done() && !impl_->error;
}
const Error* RequestParser::error() const {
  return impl_->error ? &*impl_->error : nullptr;
}
bool RequestParser::head_too_large() const {
  return impl_->head_too_large;
}
bool RequestParser::keep_alive() const {
  return !impl_->http10 && impl_->keep_alive();
}
bool RequestParser::http10() const {
  return impl_->http10;
}
bool RequestParser::expects_continue() const {
  return impl_->expects_continue && !impl_->http10;
}
Request RequestParser::take() {
  return std::move(impl_->request);
}

}  // namespace dg::net
