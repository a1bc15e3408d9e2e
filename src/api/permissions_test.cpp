// Every route, asked in every role.
#include "api/permissions.hpp"

#include <gmock/gmock.h>

#include <map>
#include <set>

#include "api/auth_testing.hpp"
#include "api/request_limit.hpp"

namespace dg::api::testing {
namespace {

using auth::Role;

// What each route is for. Those below /api/v1 that are also without it are not repeated.
const std::map<std::string, Needs>& expected_needs() {
  using enum Needs;
  static const std::map<std::string, Needs> needs{
      {"GET /ok", nothing},
      {"GET /metrics", nothing},
      {"GET /health", nothing},
      {"GET /livez", nothing},
      {"GET /readyz", nothing},
      {"GET /info", read},
      {"POST /assistants", write},
      {"POST /assistants/search", read},
      {"POST /assistants/count", read},
      {"GET /assistants/{assistant_id}", read},
      {"PATCH /assistants/{assistant_id}", write},
      {"DELETE /assistants/{assistant_id}", write},
      {"POST /assistants/{assistant_id}/versions", read},
      {"POST /assistants/{assistant_id}/latest", write},
      {"GET /assistants/{assistant_id}/graph", read},
      {"GET /assistants/{assistant_id}/schemas", read},
      {"GET /assistants/{assistant_id}/subgraphs", read},
      {"GET /assistants/{assistant_id}/subgraphs/{namespace}", read},
      {"POST /threads", write},
      {"POST /threads/search", read},
      {"POST /threads/count", read},
      {"GET /threads/{thread_id}", read},
      {"PATCH /threads/{thread_id}", write},
      {"PATCH /threads/{thread_id}/state", write},
      {"DELETE /threads/{thread_id}", write},
      {"POST /threads/{thread_id}/copy", write},
      {"GET /threads/{thread_id}/state", read},
      {"POST /threads/{thread_id}/state", write},
      {"POST /threads/{thread_id}/state/checkpoint", read},
      {"GET /threads/{thread_id}/state/{checkpoint_id}", read},
      {"GET /threads/{thread_id}/history", read},
      {"POST /threads/{thread_id}/history", read},
      {"GET /threads/{thread_id}/runs", read},
      {"POST /threads/{thread_id}/runs", write},
      {"POST /threads/{thread_id}/runs/stream", write},
      {"POST /threads/{thread_id}/runs/wait", write},
      {"GET /threads/{thread_id}/runs/{run_id}", read},
      {"DELETE /threads/{thread_id}/runs/{run_id}", write},
      {"GET /threads/{thread_id}/runs/{run_id}/join", read},
      {"GET /threads/{thread_id}/runs/{run_id}/stream", read},
      {"POST /threads/{thread_id}/runs/{run_id}/cancel", write},
      {"POST /runs", write},
      {"POST /runs/stream", write},
      {"POST /runs/wait", write},
      {"POST /runs/batch", write},
      {"POST /runs/cancel", write},
      {"GET /runs/{run_id}/stream", read},
      {"PUT /store/items", write},
      {"GET /store/items", read},
      {"DELETE /store/items", write},
      {"POST /store/items/search", read},
      {"POST /store/namespaces", read},
      {"GET /api/v1/runs", read},
      {"GET /api/v1/runs/{run_id}", read},
      {"GET /api/v1/runs/{run_id}/why", read},
      {"GET /api/v1/workers", admin},
  };
  return needs;
}

std::string filled(std::string pattern) {
  for (auto open = pattern.find('{'); open != std::string::npos; open = pattern.find('{'))
    pattern.replace(open, pattern.find('}') - open + 1, "018f0000-0000-7000-8000-000000000000");
  return pattern;
}

class PermissionsTest : public AuthApiTest {
 protected:
  static Needs needs_of(const net::Router::Route& route) {
    const auto& table = expected_needs();
    auto name = route.method + " " + route.pattern;
    if (const auto own = table.find(name); own != table.end()) return own->second;
    constexpr std::string_view prefix = "/api/v1";
    if (route.pattern.starts_with(prefix)) name = route.method + " " + route.pattern.substr(prefix.size());
    const auto found = table.find(name);
    if (found == table.end()) {
      ADD_FAILURE() << name << " is not in the table: say what it is for";
      return Needs::nothing;
    }
    return found->second;
  }
  // The status of a request with nothing in it, by its method's name.
  int ask(const net::Router::Route& route, net::Headers headers) {
    using net::Method;
    static const std::map<std::string, Method> methods{{"GET", Method::get},
                                                       {"POST", Method::post},
                                                       {"PUT", Method::put},
                                                       {"PATCH", Method::patch},
                                                       {"DELETE", Method::del}};
    return call(methods.at(route.method), filled(route.pattern), "{}", std::move(headers)).status;
  }
};

TEST_F(PermissionsTest, EveryRouteIsForTheRolesThatItNames) {
  for (const auto& route : api_.router().routes()) {
    const auto needs = needs_of(route);
    for (const auto role : {Role::admin, Role::editor, Role::viewer, Role::worker}) {
      const bool refused = ask(route, as("ann", role)) == 403;
      EXPECT_EQ(refused, !may(to_string(role), needs))
          << route.method << " " << route.pattern << " as " << to_string(role);
    }
    EXPECT_EQ(ask(route, {}) == 401, needs != Needs::nothing) << route.method << " " << route.pattern;
    EXPECT_EQ(is_probe(route.pattern), needs == Needs::nothing) << route.pattern;
  }
}

TEST_F(PermissionsTest, NothingInTheTableIsMissing) {
  std::set<std::string> there;
  for (const auto& route : api_.router().routes()) there.insert(route.method + " " + route.pattern);
  for (const auto& [name, needs] : expected_needs()) EXPECT_TRUE(there.contains(name)) << name;
}

TEST(Roles, MayMoreOrLess) {
  using enum Needs;
  const auto all = [](std::string_view role) {
    std::string out;
    for (const auto needs : {nothing, read, write, admin}) out += may(role, needs) ? 'y' : 'n';
    return out;
  };
  EXPECT_EQ(all("admin"), "yyyy");
  EXPECT_EQ(all("editor"), "yyyn");
  EXPECT_EQ(all("viewer"), "yynn");
  EXPECT_EQ(all("worker"), "ynnn");
  EXPECT_EQ(all("root"), "ynnn");
  EXPECT_EQ(all(""), "ynnn") << "a request that nobody looked at";
}

// A reader who cancels the run by leaving is no reader.
TEST_F(PermissionsTest, AViewerDoesNotCancelByLeaving) {
  const auto thread = text_at(post("/threads", "{}", as("ann")), "thread_id");
  const auto runs = "/threads/" + thread + "/runs";
  const auto run = runs + "/" + text_at(post(runs, R"({"assistant_id":"agent"})", as("ann")), "run_id");
  const auto viewer = as("ann", Role::viewer);
  for (const auto* const way : {"/join", "/stream"}) {
    EXPECT_EQ(get(run + way, viewer).status, 200);
    EXPECT_EQ(get(run + way + "?cancel_on_disconnect=true", viewer).status, 403);
    EXPECT_EQ(get(run + way + "?cancel_on_disconnect=true", as("ann")).status, 200);
  }
}

}  // namespace
}  // namespace dg::api::testing
