#include "net/response_parser.hpp"

#include <boost/beast/http/basic_parser.hpp>
#include <utility>

namespace dg::net {
namespace {

namespace http = boost::beast::http;
using boost::system::error_code;
using View = boost::beast::string_view;

}  // namespace

struct ResponseParser::Impl final : http::basic_parser<false> {
  explicit Impl(std::function<void(std::string_view)> taker) : on_bytes(std::move(taker)) {}

  void on_request_impl(http::verb, View, View, int, error_code&) override {}
  void on_response_impl(int code, View, int, error_code&) override { response.status = code; }
  void on_field_impl(http::field, View name, View value, error_code&) override {
    if (!is_header_done())
      response.headers.emplace_back(std::string(name.data(), name.size()),
                                    std::string(value.data(), value.size()));
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(View bytes, error_code&) override {
    take_bytes(bytes);
    return bytes.size();
  }
  void on_chunk_header_impl(std::uint64_t, View, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, View bytes, error_code&) override {
    take_bytes(bytes);
    return bytes.size();
  }
  void on_finish_impl(error_code&) override {}

  void take_bytes(View bytes) {
    if (on_bytes) {
      on_bytes({bytes.data(), bytes.size()});
    } else {
      response.body.append(bytes.data(), bytes.size());
    }
  }

  std::function<void(std::string_view)> on_bytes;
  Response response;
};

ResponseParser::ResponseParser(bool has_body, std::function<void(std::string_view)> on_bytes)
    : impl_(std::make_unique<Impl>(std::move(on_bytes))) {
  impl_->skip(!has_body);
  impl_->body_limit(boost::none);
}

ResponseParser::~ResponseParser() = default;

Result<std::size_t> ResponseParser::feed(std::string_view bytes) {
  std::size_t used = 0;
  while (used < bytes.size() && !impl_->is_done()) {
    impl_->eager(impl_->is_header_done());
    error_code ec;
    used += impl_->put({bytes.data() + used, bytes.size() - used}, ec);
    if (ec == http::error::need_more) break;
    if (ec) return fail(Errc::bad_request, "the server's response is not valid HTTP/1.1: " + ec.message());
  }
  return used;
}

bool ResponseParser::finish() {
  error_code ec;
  if (impl_->got_some()) impl_->put_eof(ec);
  return impl_->got_some() && !ec && impl_->is_done();
}

bool ResponseParser::done() const {
  return impl_->is_done();
}
bool ResponseParser::keep_alive() const {
  return impl_->keep_alive();
}
Response ResponseParser::take() {
  return std::move(impl_->response);
}

}  // namespace dg::net
