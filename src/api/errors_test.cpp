#include "api/errors.hpp"

#include <gmock/gmock.h>

#include "base/json.hpp"

namespace dg::api {
namespace {

using json::View;
using ::testing::Contains;
using ::testing::Pair;

net::Request request_to(std::string path) {
  net::Request request;
  request.path = std::move(path);
  request.request_id = "request-1";
  return request;
}

TEST(ErrorResponse, HasOneBodyForEveryClient) {
  const Error error{Errc::invalid_argument, "limit: \"x\" is no number", {{"limit", "must be a number"}}};
  const auto response = error_response(request_to("/threads/search"), error);
  EXPECT_EQ(response.status, 422);
  ASSERT_TRUE(json::validate(response.body, json::client_rules)) << response.body;
  const View body(response.body);
  EXPECT_EQ(body["type"].string(), "about:blank");
  EXPECT_EQ(body["title"].string(), "Unprocessable Content");
  EXPECT_EQ(body["status"].integer(), 422);
  EXPECT_EQ(body["detail"].string(), "limit: \"x\" is no number");
  EXPECT_EQ(body["code"].string(), "invalid_argument");
  EXPECT_EQ(body["request_id"].string(), "request-1");
  EXPECT_EQ(body["errors"].raw(), R"([{"place":"limit","message":"must be a number"}])");
  EXPECT_FALSE(body.find("message"));
}

TEST(ErrorResponse, OurOwnPathsAlsoHaveDuraGraphsMembers) {
  const auto response = error_response(request_to("/api/v1/runs/x"), {Errc::not_found, "Run not found", {}});
  const View body(response.body);
  EXPECT_EQ(body["error"].string(), "not_found");
  EXPECT_EQ(body["message"].string(), "Run not found");
  EXPECT_EQ(body["detail"].string(), "Run not found");
  EXPECT_FALSE(body.find("errors"));
}

TEST(ErrorResponse, EveryCodeHasItsStatus) {
  const std::vector<std::pair<Errc, int>> statuses{{Errc::bad_request, 400},  {Errc::invalid_argument, 422},
                                                   {Errc::unauthorized, 401}, {Errc::forbidden, 403},
                                                   {Errc::not_found, 404},    {Errc::method_not_allowed, 405},
                                                   {Errc::conflict, 409},     {Errc::busy, 409},
                                                   {Errc::superseded, 409},   {Errc::too_large, 413},
                                                   {Errc::limited, 429},      {Errc::unavailable, 503},
                                                   {Errc::timeout, 504},      {Errc::cancelled, 503},
                                                   {Errc::internal, 500}};
  for (const auto& [code, status] : statuses) {
    const auto response = error_response(request_to("/"), {code, "why", {}});
    EXPECT_EQ(response.status, status) << code_of(code);
    EXPECT_EQ(status_of(code), status);
    EXPECT_EQ(View(response.body)["status"].integer(), status);
  }
}

TEST(ErrorResponse, WhatHttpRefusesHasTheStatusOfItsHead) {
  auto request = request_to("/");
  request.refused_with = 431;
  auto response = error_response(request, {Errc::too_large, "the request's headers are too large", {}});
  EXPECT_EQ(response.status, 431);
  EXPECT_EQ(View(response.body)["status"].integer(), 431);
  EXPECT_EQ(View(response.body)["title"].string(), "Request Header Fields Too Large");
  request.refused_with = 408;
  EXPECT_EQ(error_response(request, {Errc::timeout, "", {}}).status, 408);
  request.refused_with = 413;
  response = error_response(request, {Errc::too_large, "", {}});
  EXPECT_EQ(View(response.body)["title"].string(), "Content Too Large");
}

TEST(ErrorResponse, SaysWhenToComeBack) {
  EXPECT_THAT(error_response(request_to("/"), {Errc::unavailable, "", {}}).headers,
              Contains(Pair("Retry-After", "1")));
  EXPECT_THAT(error_response(request_to("/"), {Errc::internal, "", {}}).headers,
              ::testing::Not(Contains(Pair("Retry-After", ::testing::_))));
}

TEST(ErrorResponse, IsAProblemForWhoAsksForOne) {
  auto request = request_to("/");
  EXPECT_THAT(error_response(request, {}).headers, Contains(Pair("Content-Type", "application/json")));
  request.headers.emplace_back("accept", "application/json, application/problem+json");
  EXPECT_THAT(error_response(request, {}).headers,
              Contains(Pair("Content-Type", "application/problem+json")));
}

}  // namespace
}  // namespace dg::api
